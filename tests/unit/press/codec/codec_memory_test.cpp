// How much memory a codec process takes for an image, as the kernel's limit counts it.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <new>
#include <random>
#include <string>

#include "press/codec/codec.hpp"
#include "press/codec/codec_role.hpp"
#include "support/images/jpeg_files.hpp"
#include "support/images/other_files.hpp"
#include "support/images/pictures.hpp"
#include "support/real_press.hpp"

#ifndef __SANITIZE_ADDRESS__  // it takes memory of its own

namespace imgpress::test {
namespace {

using press::fixtures::Bytes;
using press::fixtures::JpegForm;
using press::fixtures::Picture;

// The same photograph side by side and one below the other.
Picture tiles(int count, int channels) {
  const Picture tile = press::fixtures::photograph(500, 375, channels);
  Picture picture{tile.width * count, tile.height * count, channels, {}};
  for (int y = 0; y < picture.height; ++y) {
    const std::uint8_t* row = tile.pixel(0, y % tile.height);
    for (int i = 0; i < count; ++i) {
      picture.samples.insert(picture.samples.end(), row, row + tile.width * channels);
    }
  }
  return picture;
}

std::uint64_t bytes_in_status(pid_t pid, const std::string& field) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stoull(line.substr(field.size() + 1)) << 10;
  }
  throw std::runtime_error("the process has no " + field);
}

// The peak of a fresh codec that compresses this image, beyond what it has before.
double bytes_per_pixel(const Bytes& image, const Picture& picture, Effort effort) {
  RealPress press("codec");
  wire::CompressRequest request = compress_request(1);
  request.max_pixels = 100'000'000;
  request.may_be_large = true;
  request.options.effort = effort;
  const std::uint64_t before = bytes_in_status(press.pid(), "VmSize");
  press.socket().send(request, sealed({image.begin(), image.end()}).get());
  const auto reply = std::get<wire::CompressReply>(press.receive().message);
  EXPECT_EQ(reply.fault, Fault::kNone) << reply.reason;
  EXPECT_FALSE(reply.kept_source);
  const std::uint64_t peak = bytes_in_status(press.pid(), "VmPeak");
  return double(peak - before) / (double(picture.width) * picture.height);
}

JpegForm form_of(int luma_factor, bool progressive) {
  JpegForm form;
  form.quality = 90;
  form.luma_across = form.luma_down = luma_factor;
  form.progressive = progressive;
  return form;
}

TEST(CodecMemory, OfAJpegIsNearlyThatOfALevelForEachByte) {
  const Picture picture = tiles(6, 3);  // 7 megapixels
  struct Bound {
    JpegForm form;
    double balanced;
    double small;
  };
  for (const auto& [form, balanced, small] :
       {Bound{form_of(2, false), 3, 3.5}, Bound{form_of(1, false), 4.5, 5},
        Bound{form_of(2, true), 3, 3.5}}) {
    const Bytes source = make_jpeg(picture, form);
    const std::string what = std::to_string(form.luma_across) + (form.progressive ? " p" : "");
    EXPECT_LT(bytes_per_pixel(source, picture, Effort::kFast), balanced) << what;
    EXPECT_LT(bytes_per_pixel(source, picture, Effort::kBalanced), balanced) << what;
    EXPECT_LT(bytes_per_pixel(source, picture, Effort::kSmall), small) << what;
  }
}

// What takes the most. An image that is not large by this measure would fail for want of memory,
// and be tried again as a large one.
TEST(CodecMemory, IsNoMoreThanWhatMakesAnImageLarge) {
  const Picture picture = tiles(3, 3);
  const Picture transparent = tiles(3, 4);
  for (const Bytes& source : {make_jpeg(picture, form_of(1, true)), make_png(transparent),
                              make_webp(transparent, false), make_webp(transparent, true)}) {
    EXPECT_LT(bytes_per_pixel(source, picture, Effort::kSmall), press::kBytesPerPixel)
        << int(source[0]);
  }
}

void limit_memory(std::uint64_t bytes) {
  const rlimit limit = {bytes, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(2);
}

// Compresses an image in a process that may have so many bytes more than it has. True if that
// succeeds or memory runs out, but not if the image is called damaged.
bool succeeds_or_lacks_memory(const Bytes& image, std::uint64_t more_bytes) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const std::uint64_t before = bytes_in_status(::getpid(), "VmSize");
    limit_memory(before);
    void* volatile freed_by_other_tests = nullptr;
    do {
      freed_by_other_tests = std::malloc(1 << 14);
    } while (freed_by_other_tests != nullptr);
    limit_memory(before + more_bytes);
    press::CodecOptions options;
    options.max_pixels = 100'000'000;
    options.effort = Effort::kSmall;
    try {
      press::compress({image.data(), image.size()}, options);
    } catch (const std::bad_alloc&) {
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && status == 0;
}

// What it takes to read and write levels that do not fit into a byte is not known beforehand.
TEST(CodecMemory, AProcessOutlivesALackOfItWhereLevelsAreWide) {
  Picture noise = tiles(2, 3);
  std::mt19937 random(7);
  for (std::uint8_t& sample : noise.samples) sample = static_cast<std::uint8_t>(random());
  for (const bool progressive : {false, true}) {
    JpegForm form = form_of(2, progressive);
    form.quality = 98;
    const Bytes source = make_jpeg(noise, form);
    for (std::uint64_t bytes = 1 << 19; bytes < 7 << 20; bytes += 1 << 19) {
      EXPECT_TRUE(succeeds_or_lacks_memory(source, bytes)) << progressive << " " << bytes;
    }
  }
}

// It would fail for good, instead of being tried as a large one.
TEST(CodecMemory, AnImageThatItDoesNotSufficeForIsNotDamaged) {
  Picture transparent = tiles(2, 4);
  std::mt19937 random(7);
  for (std::size_t i = 3; i < transparent.samples.size(); i += 4) {
    transparent.samples[i] = static_cast<std::uint8_t>(random());
  }
  for (const bool lossless : {false, true}) {
    const Bytes source = make_webp(transparent, lossless);
    for (std::uint64_t bytes = 1 << 18; bytes < 6 << 20; bytes += 1 << 18) {
      EXPECT_TRUE(succeeds_or_lacks_memory(source, bytes)) << lossless << " " << bytes;
    }
  }
}

}  // namespace
}  // namespace imgpress::test

#endif
