#include "core/net/url.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

TEST(OutputName, EndsInTheExtensionOfWhatIsServed) {
  const struct {
    const char* url;
    const char* format;
    const char* name;
  } cases[] = {
      {"http://a/img1.jpg", "jpeg", "img1_compressed.jpg"},
      {"http://a/img1.JPG", "jpeg", "img1_compressed.JPG"},
      {"http://a/img1.jpeg", "jpeg", "img1_compressed.jpeg"},
      {"http://a/img1.jpe", "jpeg", "img1_compressed.jpe"},
      {"http://a/box.png", "jpeg", "box_compressed.jpg"},
      {"http://a/box.png", "png", "box_compressed.png"},
      {"http://a/box.PNG", "png", "box_compressed.PNG"},
      {"http://a/box.jpg", "webp", "box_compressed.webp"},
      {"http://a/box.webp", "webp", "box_compressed.webp"},
      {"http://a/move.gif", "gif", "move_compressed.gif"},
      {"http://a/photo.php?id=3", "jpeg", "photo_compressed.jpg"},
      {"http://a/photo", "gif", "photo_compressed.gif"},
      {"http://a/", "png", "image_compressed.png"},
  };
  for (const auto& expected : cases) {
    EXPECT_EQ(compressed_name(expected.url, expected.format), expected.name) << expected.url;
  }
}

TEST(IsHttpUrl, NeedsSchemeAndHost) {
  EXPECT_TRUE(is_http_url("http://example.com"));
  EXPECT_TRUE(is_http_url("HTTPS://example.com/a.jpg"));
  EXPECT_FALSE(is_http_url("ftp://example.com/a.jpg"));
  EXPECT_FALSE(is_http_url("example.com/a.jpg"));
  EXPECT_FALSE(is_http_url("http://"));
  EXPECT_FALSE(is_http_url("http:///a.jpg"));
  EXPECT_FALSE(is_http_url(""));
}

TEST(HostOf, IsLowerCaseWithPort) {
  EXPECT_EQ(host_of("http://Example.COM:8080/a"), "example.com:8080");
  EXPECT_EQ(host_of("https://user:secret@example.com?x"), "example.com");
  EXPECT_EQ(host_of("nonsense"), "");
}

TEST(CompressedName, PutsSuffixBeforeExtension) {
  EXPECT_EQ(compressed_name("http://a/b/img1.jpg", "jpeg"), "img1_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/img1.jpg?w=3.5#x.y", "jpeg"), "img1_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/photo.tar.gz", "jpeg"), "photo.tar_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/photo", "jpeg"), "photo_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/.hidden", "jpeg"), ".hidden_compressed.jpg");
}

TEST(CompressedName, HasANameEvenWhereTheSourceHasNone) {
  EXPECT_EQ(compressed_name("http://a.b.c", "jpeg"), "image_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a.b.c/", "jpeg"), "image_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/?id=7.jpg", "jpeg"), "image_compressed.jpg");
}

TEST(CompressedName, EscapesWhatAPathOrAListCannotHold) {
  EXPECT_EQ(compressed_name("http://a/my photo.jpg", "jpeg"), "my%20photo_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/a%20b.jpg", "jpeg"), "a%20b_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/100%.jpg", "jpeg"), "100%25_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/1,2.jpg", "jpeg"), "1%2C2_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/<b>\".jpg", "jpeg"), "%3Cb%3E%22_compressed.jpg");
}

TEST(CompressedName, IsBounded) {
  const std::string name = compressed_name("http://a/" + std::string(5000, 'x') + ".jpg", "jpeg");
  EXPECT_LT(name.size(), 300u);
  EXPECT_EQ(name.substr(name.size() - 15), "_compressed.jpg");
  const std::string escaped = compressed_name("http://a/" + std::string(500, ' ') + ".jpg", "jpeg");
  EXPECT_EQ(escaped.substr(0, 3), "%20");
}

TEST(SimulatedOutputUrl, KeepsTheSourceUrl) {
  EXPECT_EQ(simulated_output_url("http://a/b/img1.jpg?w=3"), "http://a/b/img1_compressed.jpg?w=3");
  EXPECT_EQ(simulated_output_url("http://a"), "http://a/image_compressed");
  EXPECT_EQ(simulated_output_url("http://a/b/"), "http://a/b/image_compressed");
}

}  // namespace
}  // namespace imgpress
