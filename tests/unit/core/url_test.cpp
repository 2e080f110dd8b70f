#include "core/url.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

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
  EXPECT_EQ(compressed_name("http://a/b/img1.jpg"), "img1_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/img1.jpg?w=3.5#x.y"), "img1_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/photo.tar.gz"), "photo.tar_compressed.gz");
  EXPECT_EQ(compressed_name("http://a/photo"), "photo_compressed");
  EXPECT_EQ(compressed_name("http://a/.hidden"), ".hidden_compressed");
}

TEST(CompressedName, HasANameEvenWhereTheSourceHasNone) {
  EXPECT_EQ(compressed_name("http://a.b.c"), "image_compressed");
  EXPECT_EQ(compressed_name("http://a.b.c/"), "image_compressed");
  EXPECT_EQ(compressed_name("http://a/?id=7.jpg"), "image_compressed");
}

TEST(CompressedName, EscapesWhatAPathOrAListCannotHold) {
  EXPECT_EQ(compressed_name("http://a/my photo.jpg"), "my%20photo_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/a%20b.jpg"), "a%20b_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/100%.jpg"), "100%25_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/1,2.jpg"), "1%2C2_compressed.jpg");
  EXPECT_EQ(compressed_name("http://a/<b>\".jpg"), "%3Cb%3E%22_compressed.jpg");
}

TEST(CompressedName, IsBounded) {
  const std::string name = compressed_name("http://a/" + std::string(5000, 'x') + ".jpg");
  EXPECT_LT(name.size(), 300u);
  EXPECT_EQ(name.substr(name.size() - 15), "_compressed.jpg");
  const std::string escaped = compressed_name("http://a/" + std::string(500, ' ') + ".jpg");
  EXPECT_EQ(escaped.substr(0, 3), "%20");
}

TEST(SimulatedOutputUrl, KeepsTheSourceUrl) {
  EXPECT_EQ(simulated_output_url("http://a/b/img1.jpg?w=3"), "http://a/b/img1_compressed.jpg?w=3");
  EXPECT_EQ(simulated_output_url("http://a"), "http://a/image_compressed");
  EXPECT_EQ(simulated_output_url("http://a/b/"), "http://a/b/image_compressed");
}

}  // namespace
}  // namespace imgpress
