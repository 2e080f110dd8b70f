#include "core/rules/output_name.hpp"

#include <gtest/gtest.h>

#include "support/output_url_cases.hpp"

namespace imgpress {
namespace {

TEST(OutputUrl, Cases) {
  for (const OutputUrlCase& expected : output_url_cases()) {
    EXPECT_EQ(served_url(expected.public_url, kCaseRequest, kCaseImage, expected.source_url,
                         expected.format),
              expected.output_url);
    EXPECT_EQ(simulated_url(expected.source_url), expected.simulated_url);
  }
}

TEST(OutputName, IsShortenedFromTheLeft) {
  const std::string name = output_name("http://a/" + std::string(5000, 'x') + "y.jpg", "jpeg");
  EXPECT_EQ(name, std::string(199, 'x') + "y_compressed.jpg");
}

TEST(OutputName, IsNotCutInsideAnEncodedCharacter) {
  for (const char* front : {"", "x", "xx"}) {
    const std::string url = "http://a/" + std::string(front) + std::string(500, ' ') + ".jpg";
    EXPECT_EQ(output_name(url, "jpeg").substr(0, 3), "%20") << front;
  }
}

TEST(OutputName, EncodesBytesThatAreNoUtf8) {
  EXPECT_EQ(output_name("http://a/\xE9\t\x7f.png", "png"), "%E9%09%7F_compressed.png");
}

}  // namespace
}  // namespace imgpress
