// imgpress-fuzz --target=NAME: libFuzzer, with one of the targets. Without a name it lists them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "target.hpp"

namespace {

using imgpress::fuzz::Target;

const Target* chosen = nullptr;

const Target* find(std::string_view name) {
  const auto& all = imgpress::fuzz::targets();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Target& it) { return name == it.name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

// libFuzzer leaves options with two hyphens to the program, and passes them on to its children.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kOption = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.substr(0, kOption.size()) == kOption)
      chosen = find(argument.substr(kOption.size()));
  }
  if (chosen != nullptr) return 0;
  for (const Target& target : imgpress::fuzz::targets()) std::puts(target.name);
  std::exit(*argc > 1 ? 2 : 0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({data, size});
  return 0;
}
