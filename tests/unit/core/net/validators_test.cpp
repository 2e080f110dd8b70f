#include "core/net/validators.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

constexpr std::time_t kNoon = 784123200;  // Sun, 06 Nov 1994 12:00:00 GMT

TEST(Validators, EntityTags) {
  for (const char* tag : {R"("")", R"("abc")", R"(W/"abc")", R"("a,b;c")"}) {
    EXPECT_TRUE(is_entity_tag(tag)) << tag;
  }
  for (const char* text : {"", "*", "abc", "\"", "W/", "W/abc", R"(w/"abc")", R"("a" "b")",
                           R"("a"b")", "\"a\r\nX: y\"", "\"a b\"", "\"\x80\"", R"("a", *)"}) {
    EXPECT_FALSE(is_entity_tag(text)) << text;
  }
  EXPECT_TRUE(is_entity_tag('"' + std::string(254, 'x') + '"'));
  EXPECT_FALSE(is_entity_tag('"' + std::string(255, 'x') + '"'));
  EXPECT_FALSE(is_entity_tag(std::string("\"a\0\"", 4)));
}

TEST(Validators, ModificationDates) {
  for (const char* date : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_TRUE(is_modification_date(date)) << date;
  }
  for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37 GMT\r\nX: y",
                           "Sun, 06 Nov 1994 08:49:37 GMT and much more than a date",
                           "Sun, 06 Nov 1994 08:49:37 GMT\x80"}) {
    EXPECT_FALSE(is_modification_date(text)) << text;
  }
}

TEST(Validators, ADateMustBeAMinuteOldWhenItIsReceived) {
  const auto used = [](const char* modified, const char* date) {
    return usable_validators("", modified, date, kNoon).last_modified;
  };
  EXPECT_EQ(used("Sun, 06 Nov 1994 11:59:00 GMT", ""), "Sun, 06 Nov 1994 11:59:00 GMT");
  EXPECT_EQ(used("Sun, 06 Nov 1994 11:59:01 GMT", ""), "");
  EXPECT_EQ(used("Sun, 06 Nov 1994 12:30:00 GMT", ""), "") << "in the future";
  // The clock of the origin counts, not ours.
  EXPECT_EQ(used("Sun, 06 Nov 1994 08:00:00 GMT", "Sun, 06 Nov 1994 08:00:59 GMT"), "");
  EXPECT_EQ(used("Sun, 06 Nov 1994 13:00:00 GMT", "Sun, 06 Nov 1994 13:01:00 GMT"),
            "Sun, 06 Nov 1994 13:00:00 GMT");
  EXPECT_EQ(used("Sun, 06 Nov 1994 11:59:00 GMT", "nonsense"), "Sun, 06 Nov 1994 11:59:00 GMT");
}

TEST(Validators, EachIsUsedWithoutTheOther) {
  const Validators both = usable_validators("\"1\"", "Sun, 06 Nov 1994 08:49:37 GMT", "", kNoon);
  EXPECT_EQ(both.etag, "\"1\"");
  EXPECT_EQ(both.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(usable_validators("*", "Sun, 06 Nov 1994 08:49:37 GMT", "", kNoon).etag, "");
  EXPECT_EQ(usable_validators("\"1\"", "now", "", kNoon).etag, "\"1\"");
}

}  // namespace
}  // namespace imgpress
