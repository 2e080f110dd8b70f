#include "http/body.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

namespace imgpress::gateway {
namespace {

std::string content(const Body& body) {
  std::string text(body.bytes->size(), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    done += body.bytes->read(done, text.data() + done, text.size() - done);
  }
  return text;
}

std::string unpacked(const std::string& gzipped, std::size_t size) {
  std::string text(size + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzipped.data()));
  stream.avail_in = static_cast<uInt>(gzipped.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

Body build(SpoolSpace& space, bool may_gzip, const std::string& text, std::size_t piece) {
  BodyBuilder builder(space, may_gzip);
  for (std::size_t at = 0; at < text.size(); at += piece) builder.append(text.substr(at, piece));
  return builder.finish("text/plain");
}

TEST(BodyBuilder, GzipsWhatIsWorthIt) {
  SpoolSpace space("/tmp", 1 << 30);
  std::string large;
  for (int i = 0; i < 100'000; ++i) large += "product " + std::to_string(i) + '\n';
  for (const std::size_t piece : {7u, 1000u, 1u << 20}) {
    const Body body = build(space, true, large, piece);
    EXPECT_TRUE(body.gzipped);
    EXPECT_LT(body.bytes->size(), large.size() / 3);
    EXPECT_EQ(unpacked(content(body), large.size()), large);
  }
  EXPECT_FALSE(build(space, true, "short", 2).gzipped);
  EXPECT_EQ(content(build(space, true, "short", 2)), "short");
  const Body plain = build(space, false, large, 1000);
  EXPECT_FALSE(plain.gzipped);
  EXPECT_EQ(content(plain), large);
}

TEST(AcceptEncoding, Gzip) {
  for (const char* yes :
       {"gzip", "GZIP", "br, gzip", "gzip;q=0.5", "gzip ; q=1", "a,gzip;q=0.001"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const char* no :
       {"", "br", "identity", "gzip;q=0", "gzip; q=0.000", "x-gzip", "*;q=0", ","}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

}  // namespace
}  // namespace imgpress::gateway
