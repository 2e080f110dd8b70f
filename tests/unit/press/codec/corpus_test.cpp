// Real images, from the folders photos/ and odd/ in $IMGPRESS_CORPUS. Skipped without it.
#include <gtest/gtest.h>

#include <random>

#include "support/images/image_fixtures.hpp"
#include "core/rules/fault.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

TEST(Corpus, PhotosLookAsGoodAsDecodedAndEncoded) {
  const auto files = corpus_files("photos");
  if (files.empty()) GTEST_SKIP() << "no corpus";
  for (const auto& file : files) {
    const Bytes source = read_file(file);
    const CodecResult result = press(source);
    EXPECT_EQ(result.format, ImageFormat::kJpeg) << file;
    EXPECT_LE(result.bytes.size(), source.size()) << file;
    const Picture original = read_jpeg(source).picture;
    const Picture picture = read_jpeg(result.bytes).picture;
    const Picture reference = read_jpeg(decode_and_encode(source, 50)).picture;
    const double quality = psnr(picture, original);
    EXPECT_TRUE(quality > 28 || quality > psnr(reference, original) - 0.3)
        << file << ": " << quality << " dB against " << psnr(reference, original);
  }
}

TEST(Corpus, OddFilesSucceedOrFailWithAReason) {
  const auto files = corpus_files("odd");
  if (files.empty()) GTEST_SKIP() << "no corpus";
  for (const auto& file : files) {
    const Bytes source = read_file(file);
    try {
      const CodecResult result = press(source);
      EXPECT_LE(result.bytes.size(), source.size()) << file;
      EXPECT_FALSE(result.bytes.empty()) << file;
    } catch (const FaultError& error) {
      EXPECT_NE(std::string(error.what()), "") << file;
    }
  }
}

TEST(Corpus, DamagedVariantsSucceedOrFailWithAFault) {
  auto files = corpus_files("odd");
  if (files.empty()) GTEST_SKIP() << "no corpus";
  std::mt19937 random(42);
  for (const auto& file : files) {
    const Bytes source = read_file(file);
    if (source.size() > 100'000) continue;
    for (int round = 0; round < 20; ++round) {
      Bytes bytes = source;
      if (round % 4 == 0) bytes.resize(random() % bytes.size());
      for (unsigned i = 0; i < random() % 10 && !bytes.empty(); ++i) {
        bytes[random() % bytes.size()] ^= std::uint8_t(1U << random() % 8);
      }
      try {
        EXPECT_LE(press(bytes, 50, 2'000'000).bytes.size(), bytes.size()) << file;
      } catch (const FaultError&) {
      }
    }
  }
}

}  // namespace
}  // namespace imgpress::press
