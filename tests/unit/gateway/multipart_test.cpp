#include "multipart.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace imgpress::gateway {
namespace {

// Collects the parts and counts how they came.
class Collector : public PartListener {
 public:
  void part_begins(const std::string& name) override { parts.emplace_back(name, ""); }
  void part_continues(std::string_view bytes) override { parts.back().second.append(bytes); }
  void part_ends() override { ++ended; }

  std::vector<std::pair<std::string, std::string>> parts;
  std::size_t ended = 0;
};

const std::string kBody =
    "preamble\r\n"
    "--XX\r\n"
    "Content-Disposition: form-data; name=\"webhook_url\"\r\n"
    "\r\n"
    "http://hook/\r\n"
    "--XX  \r\n"
    "content-type: text/csv\r\n"
    "CONTENT-DISPOSITION: form-data; filename=\"a;b.csv\"; name=file\r\n"
    "\r\n"
    "a,b\r\n--X\r\n\r\n--\r\n"
    "\r\n--XX\r\n"
    "Content-Disposition: form-data; name=\"empty\"\r\n"
    "\r\n"
    "\r\n--XX--\r\n"
    "epilogue";

const std::vector<std::pair<std::string, std::string>> kParts = {
    {"webhook_url", "http://hook/"}, {"file", "a,b\r\n--X\r\n\r\n--\r\n"}, {"empty", ""}};

TEST(Multipart, PartsWhateverThePiecesTheyComeIn) {
  for (std::size_t piece = 1; piece <= kBody.size(); ++piece) {
    Collector collector;
    MultipartParser parser("XX", collector);
    for (std::size_t at = 0; at < kBody.size(); at += piece) {
      parser.feed(std::string_view(kBody).substr(at, piece));
    }
    EXPECT_TRUE(parser.complete()) << piece;
    EXPECT_EQ(collector.parts, kParts) << piece;
    EXPECT_EQ(collector.ended, kParts.size()) << piece;
  }
}

TEST(Multipart, FirstBoundaryAtTheVeryBeginning) {
  Collector collector;
  MultipartParser parser("XX", collector);
  parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX--");
  EXPECT_TRUE(parser.complete());
  ASSERT_EQ(collector.parts.size(), 1u);
  EXPECT_EQ(collector.parts[0].second, "b");
}

TEST(Multipart, IsIncompleteWithoutItsLastBoundary) {
  Collector collector;
  MultipartParser parser("XX", collector);
  parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX");
  EXPECT_FALSE(parser.complete());
}

TEST(Multipart, PassesContentOnWhileItComes) {
  Collector collector;
  MultipartParser parser("XX", collector);
  parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
  parser.feed(std::string(10000, 'x'));
  ASSERT_EQ(collector.parts.size(), 1u);
  EXPECT_GT(collector.parts[0].second.size(), 9900u);
  EXPECT_EQ(collector.ended, 0u);
}

TEST(Multipart, Faults) {
  const std::string head = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX";
  const std::string cases[] = {
      head + "more\r\n",                                        // a boundary that goes on
      head + "\r\nContent-Type: text/csv\r\n\r\nb",             // no name
      head + "\r\n\r\n\r\nb",                                   // no headers
      head + std::string(1000, ' '),                            // endless padding
      head + "\r\nContent-Type: " + std::string(20000, 'x'),    // endless header
      head + "\r\nX: " + std::string(20000, 'x') + "\r\n\r\n",  // long headers
  };
  for (const std::string& body : cases) {
    Collector collector;
    MultipartParser parser("XX", collector);
    EXPECT_THROW(parser.feed(body), MultipartError) << body.substr(0, 100);
  }
}

TEST(Multipart, TooManyParts) {
  Collector collector;
  MultipartParser parser("XX", collector);
  const auto flood = [&] {
    for (int i = 0; i < 1000; ++i) {
      parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n");
    }
  };
  EXPECT_THROW(flood(), MultipartError);
}

TEST(Multipart, ContentTypes) {
  EXPECT_TRUE(is_multipart_form("multipart/form-data; boundary=x"));
  EXPECT_TRUE(is_multipart_form("Multipart/Form-Data"));
  EXPECT_FALSE(is_multipart_form("multipart/form-datax"));
  EXPECT_FALSE(is_multipart_form("text/csv"));
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=x; charset=utf-8"), "x");
  EXPECT_EQ(multipart_boundary("multipart/form-data; charset=utf-8;BOUNDARY=\"a b\""), "a b");
  EXPECT_EQ(multipart_boundary("multipart/form-data"), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary="), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(201, 'x')),
            std::nullopt);
}

TEST(Multipart, HeaderParameters) {
  EXPECT_EQ(header_parameter("form-data; name=\"a\\\"b\"", "name"), "a\"b");
  EXPECT_EQ(header_parameter("form-data; filename=\"c:\\x; name=\"; name=n", "name"), "n");
  EXPECT_EQ(header_parameter("form-data; flag; name = n ; x=y", "name"), "n");
  EXPECT_EQ(header_parameter("form-data; filename=\"name=x\"", "name"), std::nullopt);
  EXPECT_EQ(header_parameter("form-data; name=\"open", "name"), "open");
  EXPECT_EQ(header_parameter("name=x", "name"), std::nullopt);
  EXPECT_EQ(header_parameter("", "name"), std::nullopt);
}

}  // namespace
}  // namespace imgpress::gateway
