// A codec process, driven over its socket.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <thread>

#include "channel/sealed_memory.hpp"
#include "support/images/jpeg_files.hpp"
#include "support/images/pictures.hpp"
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

std::string as_text(const press::fixtures::Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

// A JPEG file of one colour whose frame says that it is much larger.
std::string large_jpeg() {
  press::fixtures::Bytes jpeg =
      press::fixtures::make_jpeg(press::fixtures::plain(16, 16, {1, 2, 3}));
  const press::fixtures::Bytes frame = {0xFF, 0xC0};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  at[5] = at[7] = 0x27;  // 10,000 x 10,000
  at[6] = at[8] = 0x10;
  return as_text(jpeg);
}

wire::CompressReply compress_as(RealPress& press, const std::string& image, bool may_be_large) {
  wire::CompressRequest request = compress_request(1);
  request.max_pixels = 200'000'000;
  request.may_be_large = may_be_large;
  press.socket().send(request, sealed(image).get());
  return std::get<wire::CompressReply>(press.receive().message);
}

std::chrono::microseconds cpu_time(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  EXPECT_EQ(::clock_getcpuclockid(pid, &clock), 0);
  EXPECT_EQ(::clock_gettime(clock, &used), 0);
  return std::chrono::microseconds(1'000'000 * used.tv_sec + used.tv_nsec / 1000);
}

TEST(CodecRole, TellsTheCpuTimeOfAnImage) {
  using std::chrono::milliseconds;
  RealPress press("codec");
  const auto before = cpu_time(press.pid());
  const auto image = press::fixtures::make_jpeg(press::fixtures::plain(2000, 2000, {1, 2, 3}));
  wire::CompressRequest request = compress_request(1);
  request.max_pixels = 4'000'000;
  press.socket().send(request, sealed(as_text(image)).get());
  while (cpu_time(press.pid()) < before + milliseconds(2)) std::this_thread::yield();
  ::kill(press.pid(), SIGSTOP);  // it has begun; what passes now is not its time
  std::this_thread::sleep_for(milliseconds(300));
  ::kill(press.pid(), SIGCONT);
  const auto reply = std::get<wire::CompressReply>(press.receive().message);
  EXPECT_EQ(reply.fault, Fault::kNone) << reply.reason;
  EXPECT_GT(reply.work_us, 0u);
  EXPECT_LE(reply.work_us, (cpu_time(press.pid()) - before).count());
}

#ifndef __SANITIZE_ADDRESS__  // it needs more address space than any limit

TEST(CodecRole, ALargeImageIsAnsweredBeforeItIsDecoded) {
  RealPress press("codec");
  const wire::CompressReply reply = compress_as(press, large_jpeg(), false);
  EXPECT_TRUE(reply.is_large);
  EXPECT_EQ(reply.fault, Fault::kNone);
  EXPECT_LT(reply.work_us, 100'000u);
  EXPECT_FALSE(compress_as(press, kGif, false).is_large);
  EXPECT_FALSE(compress_as(press, large_jpeg(), true).is_large);
}

TEST(CodecRole, AnImageThatNeedsMoreThanTheCodecHasIsRefused) {
  RealPress press("codec", {"--memory-mb=256"});
  const wire::CompressReply reply = compress_as(press, large_jpeg(), true);
  EXPECT_EQ(reply.fault, Fault::kOutOfResources);
  EXPECT_NE(reply.reason.find("imgpress.codec_memory allows (256 MB)"), std::string::npos)
      << reply.reason;
  EXPECT_FALSE(compress_as(press, kGif, false).is_large) << "it goes on";
}

// Whatever the header says: the kernel refuses more.
TEST(CodecRole, AnImageThatMayNotBeLargeDoesNotGetTheMemoryOfALargeOne) {
  RealPress press("codec");
  std::string padded = as_text(press::fixtures::make_jpeg(press::fixtures::photograph(64, 48)));
  padded.resize(600 << 20, '\xD9');  // the mapping of the file alone is too large
  EXPECT_TRUE(compress_as(press, padded, false).is_large);
  EXPECT_EQ(compress_as(press, padded, true).fault, Fault::kNone);
}

#endif

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
