// The table of options: every one can be set by its name and is in the JSON of all.
#include "core/rules/options.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace imgpress {
namespace {

std::string refusal(std::string_view name, std::string_view text) {
  ImageOptions options;
  try {
    set_option(options, name, text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Options, DefaultsAreAllowed) {
  visit_options([](const auto& option) {
    EXPECT_TRUE(option.holds(ImageOptions{}.*option.field)) << option.name;
  });
}

TEST(Options, NumbersAreIntegersInTheirRange) {
  ImageOptions options;
  for (const char* text : {"1", "50", "100"}) {
    set_option(options, "quality", text);
    EXPECT_EQ(options.quality, std::stoi(text));
  }
  for (const char* text : {"0", "101", "-1", "+40", "4.5", "50 ", "", "high", "99999999999"}) {
    EXPECT_EQ(refusal("quality", text),
              std::string("quality must be an integer from 1 to 100, not \"") + text + '"');
  }
}

TEST(Options, WordsAreThoseOfTheList) {
  ImageOptions options;
  for (std::size_t i = 0; i < kEffortNames.size(); ++i) {
    set_option(options, "effort", kEffortNames[i]);
    EXPECT_EQ(options.effort, static_cast<Effort>(i));
  }
  for (const char* text : {"", "Fast", "fastest", "fast ", "1"}) {
    EXPECT_EQ(refusal("effort", text),
              std::string("effort must be fast, balanced or small, not \"") + text + '"');
  }
}

TEST(Options, SwitchesAreOnOrOff) {
  ImageOptions options;
  set_option(options, "accept_truncated", "true");
  EXPECT_TRUE(options.accept_truncated);
  set_option(options, "accept_truncated", "off");
  EXPECT_FALSE(options.accept_truncated);
  EXPECT_EQ(refusal("accept_truncated", "maybe"),
            "accept_truncated must be true or false, not \"maybe\"");
}

TEST(Options, AnUnknownNameIsRefused) {
  EXPECT_EQ(refusal("qualty", "50"), "unknown option \"qualty\"; did you mean \"quality\"?");
  const std::string message = refusal("note", "50");
  visit_options([&](const auto& option) {
    EXPECT_NE(message.find(option.name), std::string::npos) << message;
  });
}

TEST(Options, JsonHasEveryOption) {
  const std::string json = to_json({80, Effort::kSmall, true});
  EXPECT_EQ(json.find(R"({"quality": 80, "effort": "small", "accept_truncated": true)"), 0U)
      << json;
  visit_options([](const auto& option) {
    EXPECT_NE(to_json({}).find('"' + std::string(option.name) + "\": "), std::string::npos);
  });
}

}  // namespace
}  // namespace imgpress
