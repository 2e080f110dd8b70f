// Prints hashes of what the codec makes on a CPU without any extensions.
#include <cstdio>

#include "support/images/compressed.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// Take the place of libgcc's, after which the loader chooses among the versions of a function.
extern "C" {
unsigned __cpu_model[4];
unsigned __cpu_features2[16];
int __cpu_indicator_init() {
  return 0;
}
}
#endif

int main() {
  std::fputs(imgpress::press::fixtures::hashes_of_outputs().c_str(), stdout);
}
