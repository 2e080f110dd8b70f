// Replays the seeds, and every input that has once broken something, without a fuzzer.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "target.hpp"

namespace imgpress::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = IMGPRESS_SOURCE_DIR "/tests/fuzz";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Fuzz : public testing::TestWithParam<Target> {};

TEST_P(Fuzz, SeedsAndCrashers) {
  std::size_t replayed = 0;
  for (const char* kind : {"seeds", "crashers"}) {
    const fs::path folder = fs::path(kFolder) / kind / GetParam().name;
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string input = contents(entry.path());
      SCOPED_TRACE(entry.path());
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(input.data());
      EXPECT_NO_THROW(GetParam().run({bytes, input.size()}));
      ++replayed;
    }
  }
  EXPECT_GT(replayed, 0U) << "tests/fuzz/seeds has nothing for this target";
  EXPECT_NO_THROW(GetParam().run({}));
}

INSTANTIATE_TEST_SUITE_P(, Fuzz, testing::ValuesIn(targets()),
                         [](const auto& it) { return std::string(it.param.name); });

// A folder of a target that has another name by now would never be replayed.
TEST(FuzzFolders, BelongToTargets) {
  for (const char* kind : {"seeds", "crashers"}) {
    if (!fs::exists(fs::path(kFolder) / kind)) continue;
    for (const auto& entry : fs::directory_iterator(fs::path(kFolder) / kind)) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(std::any_of(targets().begin(), targets().end(), [&](const Target& target) {
        return name == target.name;
      })) << entry.path();
    }
  }
}

}  // namespace
}  // namespace imgpress::fuzz
