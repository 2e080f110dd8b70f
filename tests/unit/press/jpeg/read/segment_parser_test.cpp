#include <gtest/gtest.h>

#include <random>

#include "support/images/image_fixtures.hpp"
#include "press/codec/exif_orientation.hpp"
#include "press/jpeg/read/segment_parser.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

const char* const kSecrets[] = {"SecretCamera", "GPS",       "48.2082N",
                                "xmpmeta",      "Photoshop", "remark"};

void expect_no_secret(const Bytes& bytes) {
  for (const char* secret : kSecrets) EXPECT_FALSE(contains(bytes, secret)) << secret;
}

// With the metadata that a camera and three programs leave behind.
Bytes with_metadata(const Bytes& jpeg, int orientation) {
  Bytes bytes = with_segment(jpeg, 0xFE, "a remark");
  bytes = with_segment(bytes, 0xED, "Photoshop 3.0");
  bytes = with_segment(bytes, 0xE1, "http://ns.adobe.com/xap/1.0/ <x:xmpmeta GPS/>");
  return with_segment(bytes, 0xE1, exif_payload(orientation));
}

Bytes large_jpeg(bool halved_colours = true) {
  JpegForm form;
  form.quality = 92;
  form.luma_across = form.luma_down = halved_colours ? 2 : 1;
  return make_jpeg(photograph(200, 150), form);
}

// Coded so well that it cannot be made smaller.
Bytes tight_jpeg() {
  JpegForm form;
  form.quality = 15;
  form.arithmetic = true;
  return make_jpeg(photograph(200, 150), form);
}

TEST(JpegMetadata, OnlyTheOrientationSurvives) {
  for (const bool halved : {true, false}) {
    for (int orientation = 2; orientation <= 8; ++orientation) {
      const CodecResult result = press(with_metadata(large_jpeg(halved), orientation));
      const JpegFacts facts = read_jpeg(result.bytes);
      EXPECT_FALSE(result.kept_source);
      EXPECT_EQ(read_orientation(view(facts.exif)), orientation);
      EXPECT_EQ(facts.exif.size(), 6 + kMinimalExifBytes);
      EXPECT_EQ(facts.app_segments, 1);
      expect_no_secret(result.bytes);
    }
  }
}

TEST(JpegMetadata, SegmentsWithAnInvalidLengthAreSkipped) {
  for (const int marker : {0xE1, 0xEE, 0xFE}) {
    for (const std::uint8_t length : {0, 1}) {
      Bytes source = large_jpeg(false);
      const Bytes segment = {0xFF, std::uint8_t(marker), 0, length};
      source.insert(source.begin() + 2, segment.begin(), segment.end());
      const CodecResult result = press(source);
      EXPECT_FALSE(result.kept_source);
      EXPECT_EQ(read_jpeg(result.bytes).picture.width, read_jpeg(source).picture.width);
    }
  }
}

TEST(JpegMetadata, UprightImagesGetNoExif) {
  const CodecResult result = press(with_metadata(large_jpeg(), 1));
  EXPECT_EQ(read_jpeg(result.bytes).app_segments, 0);
}

TEST(JpegMetadata, AKeptSourceLosesItsMetadataAsWell) {
  const Bytes source = with_icc(with_metadata(tight_jpeg(), 6), std::string(500, 'c'));
  const CodecResult result = press(source);
  const JpegFacts facts = read_jpeg(result.bytes);
  EXPECT_TRUE(result.kept_source);
  EXPECT_LT(result.bytes.size(), source.size());
  EXPECT_EQ(read_orientation(view(facts.exif)), 6);
  EXPECT_EQ(facts.icc, Bytes(500, 'c'));
  EXPECT_EQ(psnr(facts.picture, read_jpeg(source).picture), 99);
  expect_no_secret(result.bytes);
}

TEST(JpegMetadata, BytesAfterTheImageAreDropped) {
  for (Bytes source : {tight_jpeg(), large_jpeg()}) {
    const std::size_t size = source.size();
    const std::string trailer = "SEFT SecretCamera";
    source.insert(source.end(), trailer.begin(), trailer.end());
    const Bytes second = large_jpeg();
    source.insert(source.end(), second.begin(), second.end());
    const CodecResult result = press(source);
    EXPECT_LE(result.bytes.size(), size);
    expect_no_secret(result.bytes);
  }
}

TEST(JpegMetadata, TheFirstExifWithAnOrientationCounts) {
  Bytes source = with_segment(large_jpeg(), 0xE1, exif_payload(8));
  source = with_segment(source, 0xE1, exif_payload(3));
  source = with_segment(source, 0xE1, exif_payload(0));
  source = with_segment(source, 0xE1, std::string("Exif\0\0", 6));
  source = with_segment(source, 0xE1, std::string("Exif\0\0II", 8));
  EXPECT_EQ(read_orientation(view(read_jpeg(press(source).bytes).exif)), 3);
}

TEST(JpegMetadata, ColourProfilesAreKept) {
  std::string profile(150'000, '\0');
  for (std::size_t i = 0; i < profile.size(); ++i) profile[i] = char(i * 7 + i / 256);
  JpegForm form;
  form.quality = 95;
  for (const int across : {2, 1}) {
    form.luma_across = form.luma_down = across;
    const Bytes source = with_icc(make_jpeg(photograph(800, 600), form), profile, 3);
    const CodecResult result = press(source);
    EXPECT_FALSE(result.kept_source);
    EXPECT_EQ(read_jpeg(result.bytes).icc, Bytes(profile.begin(), profile.end()));
  }
}

TEST(JpegMetadata, ProfilesWithMissingChunksAreDropped) {
  std::string chunk("ICC_PROFILE\0", 12);
  chunk += "\2\3";  // the second of three
  chunk += std::string(300, 'p');
  const CodecResult result = press(with_segment(large_jpeg(), 0xE2, chunk));
  EXPECT_EQ(read_jpeg(result.bytes).app_segments, 0);
}

TEST(JpegMetadata, ASourceThatWouldGrowIsKeptUnchanged) {
  // There is nothing to strip, and the missing end marker would be added.
  Bytes source = tight_jpeg();
  source.resize(source.size() - 2);
  const CodecResult result = press(source);
  EXPECT_TRUE(result.kept_source);
  EXPECT_EQ(result.bytes, source);
}

TEST(SegmentParser, ParsesAnyBytes) {
  std::mt19937 random(11);
  const Bytes whole = with_icc(with_metadata(tight_jpeg(), 6), std::string(50, 'c'));
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes(whole.begin(), whole.begin() + std::ptrdiff_t(random() % (whole.size() + 1)));
    for (unsigned i = 0; i < random() % 20 && !bytes.empty(); ++i) {
      bytes[random() % std::min<std::size_t>(bytes.size(), 900)] = std::uint8_t(random());
    }
    bytes.shrink_to_fit();
    const JpegSegments segments = parse_segments(view(bytes));
    const ImageMetadata metadata = read_metadata(segments);
    const std::size_t size = strip_jpeg(segments, metadata.orientation).size();
    ASSERT_EQ(size, stripped_size(segments, metadata.orientation));
    ASSERT_LE(size, bytes.size() + 4 + 36);
  }
}

}  // namespace
}  // namespace imgpress::press
