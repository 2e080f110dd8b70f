#include "core/text/nearest_name.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

const std::vector<std::string_view> kNames = {"quality", "effort", "accept_truncated",
                                              "webhook_url"};

TEST(NearestName, IsTheOneWithTheFewestEdits) {
  EXPECT_EQ(nearest_name("qualty", kNames), "quality");
  EXPECT_EQ(nearest_name("qualityy", kNames), "quality");
  EXPECT_EQ(nearest_name("efort", kNames), "effort");
  EXPECT_EQ(nearest_name("accept-truncated", kNames), "accept_truncated");
  EXPECT_EQ(nearest_name("webhook", kNames), "webhook_url");
  EXPECT_EQ(nearest_name("bit", {"bat", "bite", "bot"}), "bat");
  EXPECT_EQ(nearest_name("bite", {"bat", "bite", "bot"}), "bite");
}

TEST(NearestName, IgnoresCase) {
  EXPECT_EQ(nearest_name("QUALITY", kNames), "quality");
}

TEST(NearestName, DiffersInAtMostHalfOfTheCharacters) {
  EXPECT_EQ(nearest_name("abcd", {"abxy"}), "abxy");
  EXPECT_EQ(nearest_name("abcd", {"axyz"}), "");
  for (const char* name : {"", "note", "size", "priority", "format"}) {
    EXPECT_EQ(nearest_name(name, kNames), "") << name;
  }
  EXPECT_EQ(nearest_name("quality", {}), "");
}

TEST(NearestName, OfAVeryLongNameIsNotLookedFor) {
  const std::string longest(100, 'x');
  EXPECT_EQ(nearest_name(longest, {longest}), longest);
  EXPECT_EQ(nearest_name(longest + 'x', {longest}), "");
}

TEST(UnknownName, SuggestsTheNearestOrListsAll) {
  EXPECT_EQ(unknown_name("field", "qualty", kNames),
            "unknown field \"qualty\"; did you mean \"quality\"?");
  EXPECT_EQ(unknown_name("field", "note", kNames),
            "unknown field \"note\"; the known fields are quality, effort, accept_truncated and "
            "webhook_url");
}

}  // namespace
}  // namespace imgpress
