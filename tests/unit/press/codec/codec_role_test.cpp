// A codec process, driven over its socket.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <string>

#include "channel/sealed_memory.hpp"
#include "support/real_press.hpp"

namespace imgpress::test {
namespace {

// A GIF of one red pixel.
const std::string kGif(
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,"
    "\x00\x00\x00\x00\x01\x00\x01\x00\x00"
    "\x02\x02"
    "D\x01\x00;",
    35);

TEST(CodecRole, CompressesOneImageAfterTheOther) {
  RealPress press("codec");
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const wire::CompressReply refused = compress(press, "<html></html>", 2 * id);
    EXPECT_EQ(refused.id, 2 * id);
    EXPECT_EQ(refused.fault, Fault::kNotAnImage);
    EXPECT_NE(refused.reason, "");
    press.socket().send(compress_request(2 * id + 1), sealed(kGif).get());
    const Packet packet = press.receive();
    const auto& reply = std::get<wire::CompressReply>(packet.message);
    EXPECT_EQ(reply.id, 2 * id + 1);
    ASSERT_EQ(reply.fault, Fault::kNone) << reply.reason;
    EXPECT_EQ(reply.width, 1u);
    EXPECT_EQ(reply.height, 1u);
    ASSERT_TRUE(packet.attachment);
    EXPECT_GT(sealed_size(packet.attachment.get()), 0u);
    EXPECT_LE(sealed_size(packet.attachment.get()), kGif.size());
  }
}

TEST(CodecRole, AnEmptySourceIsNotAnImage) {
  RealPress press("codec");
  EXPECT_EQ(compress(press, "").fault, Fault::kNotAnImage);
}

TEST(CodecRole, AnUnsealedSourceEndsTheProcess) {
  RealPress press("codec");
  const UniqueFd open_memory(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  press.socket().send(compress_request(1), open_memory.get());
  EXPECT_EQ(WEXITSTATUS(press.end()), 1);
  RealPress other("codec");
  other.socket().send(compress_request(1));  // no memory at all
  EXPECT_EQ(WEXITSTATUS(other.end()), 1);
}

}  // namespace
}  // namespace imgpress::test
