#include <gtest/gtest.h>

#include <cstdio>

#include "support/images/compressed.hpp"

namespace imgpress::press {
namespace {

std::string output_of(const char* program) {
  std::string output;
  std::FILE* const pipe = ::popen(program, "r");
  if (pipe == nullptr) return output;
  char part[4096];
  while (const std::size_t size = std::fread(part, 1, sizeof part, pipe)) output.append(part, size);
  return ::pclose(pipe) == 0 ? output : "";
}

TEST(CpuTargets, EveryCpuMakesTheSameBytes) {
  EXPECT_EQ(output_of(IMGPRESS_PLAIN_CPU_PATH), fixtures::hashes_of_outputs());
}

}  // namespace
}  // namespace imgpress::press
