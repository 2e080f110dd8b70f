// Our own reader of ordinary files, and the writer, against libjpeg.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>

#include "support/images/image_fixtures.hpp"
#include "press/jpeg/read/baseline_reader.hpp"
#include "press/jpeg/read/coefficient_reader.hpp"
#include "press/jpeg/write/coefficient_writer.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

using Coefficients = std::vector<std::vector<std::int16_t>>;  // of each plane, row by row

struct LibjpegReading {
  Coefficients planes;
  std::string fault;  // an error, or a warning that tells of damage
};

// As libjpeg reads them.
LibjpegReading read_with_libjpeg(const Bytes& source) {
  LibjpegReading reading;
  try {
    LibjpegGuard guard;
    LibjpegDecoder decoder(guard);
    decoder.read_header(view(source), 50'000'000);
    jpeg_decompress_struct& in = decoder.state();
    jvirt_barray_ptr* arrays = nullptr;
    guard.run([&] { arrays = jpeg_read_coefficients(&in); });
    for (int i = 0; i < in.num_components; ++i) {
      reading.planes.emplace_back();
      const auto& info = in.comp_info[i];
      for (JDIMENSION y = 0; y < info.height_in_blocks; ++y) {
        const JCOEF* row = in.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&in),
                                                      arrays[i], y, 1, FALSE)[0][0];
        reading.planes.back().insert(reading.planes.back().end(), row,
                                     row + std::size_t{info.width_in_blocks} * 64);
      }
    }
  } catch (const FaultError& error) {
    reading.fault = error.what();
  }
  return reading;
}

// From coding order to rows.
Coefficients in_rows(const CoefficientImage& picture) {
  Coefficients planes;
  for (const Plane& plane : picture) {
    planes.emplace_back(plane.count() * 64);
    for (std::size_t b = 0; b < plane.count(); ++b) {
      for (std::size_t i = 0; i < 64; ++i) {
        planes.back()[b * 64 + kZigzag[i]] = plane.blocks[b].at[i];
      }
    }
  }
  return planes;
}

// Nothing where our reader leaves the file to libjpeg.
std::optional<Coefficients> read_ourselves(const Bytes& source) {
  try {
    LibjpegGuard guard;
    LibjpegDecoder decoder(guard);
    decoder.read_header(view(source), 50'000'000);
    CoefficientImage picture = describe_image(decoder.state());
    if (!read_baseline(decoder, picture)) return std::nullopt;
    return in_rows(picture);
  } catch (const FaultError&) {
    return std::nullopt;
  }
}

std::vector<JpegForm> ordinary_forms() {
  std::vector<JpegForm> forms;
  for (const auto& [across, down] :
       std::vector<std::pair<int, int>>{{2, 2}, {1, 1}, {2, 1}, {1, 2}, {4, 1}, {4, 2}}) {
    for (const unsigned interval : {0U, 1U, 7U}) {
      for (const int quality : {30, 85, 100}) {
        JpegForm form;
        form.luma_across = across;
        form.luma_down = down;
        form.restart_interval = interval;
        form.quality = quality;
        form.optimised = quality == 85;
        forms.push_back(form);
      }
    }
  }
  return forms;
}

TEST(BaselineReader, ReadsWhatLibjpegReads) {
  for (const JpegForm& form : ordinary_forms()) {
    for (const auto& [width, height] :
         std::vector<std::pair<int, int>>{{1, 1}, {8, 8}, {17, 33}, {100, 61}, {161, 120}}) {
      for (const int channels : {1, 3, 4}) {
        if (channels == 4 && form.luma_across * form.luma_down > 4) continue;  // of ten blocks
        const Bytes source = make_jpeg(photograph(width, height, channels), form);
        const auto ours = read_ourselves(source);
        ASSERT_TRUE(ours) << width << " x " << height << ", " << channels << " channels";
        ASSERT_EQ(*ours, read_with_libjpeg(source).planes);
      }
    }
  }
}

TEST(BaselineReader, ReadsTheLargestNumbersThereAre) {
  Picture noise = plain(64, 64, {0, 0, 0});
  std::mt19937 random(4);
  for (auto& sample : noise.samples) sample = random() % 2 == 0 ? 0 : 255;
  JpegForm form;
  form.quality = 100;
  form.luma_across = form.luma_down = 1;
  const Bytes source = make_jpeg(noise, form);
  const auto ours = read_ourselves(source);
  ASSERT_TRUE(ours);
  EXPECT_EQ(*ours, read_with_libjpeg(source).planes);
}

TEST(BaselineReader, LeavesOtherFilesToLibjpeg) {
  JpegForm progressive;
  progressive.progressive = true;
  JpegForm arithmetic;
  arithmetic.arithmetic = true;
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), progressive)));
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), arithmetic)));
}

// Where the data of the only scan begin.
std::size_t data_begin(const Bytes& jpeg) {
  const Bytes marker = {0xFF, 0xDA};
  const auto at = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end());
  return std::size_t(at - jpeg.begin()) + 2 + std::size_t(at[2] * 256 + at[3]);
}

TEST(BaselineReader, LeavesDamagedFilesToLibjpeg) {
  JpegForm form;
  form.restart_interval = 5;
  const Bytes whole = make_jpeg(photograph(160, 120), form);
  const std::size_t begin = data_begin(whole);
  const auto first_restart = std::search_n(whole.begin() + std::ptrdiff_t(begin), whole.end(), 1,
                                           0xD0, [](std::uint8_t a, int b) { return a == b; });
  ASSERT_EQ(first_restart[-1], 0xFF);
  Bytes without_end(whole.begin(), whole.end() - 2);
  Bytes cut(whole.begin(), whole.begin() + std::ptrdiff_t(begin + 500));
  Bytes surplus = whole;
  surplus.insert(surplus.end() - 2, {0x12, 0x34});
  Bytes wrong_restart = whole;
  wrong_restart[std::size_t(first_restart - whole.begin())] = 0xD3;
  Bytes no_restart = whole;
  no_restart.erase(no_restart.begin() + (first_restart - whole.begin()) - 1,
                   no_restart.begin() + (first_restart - whole.begin()) + 1);
  Bytes filled = make_jpeg(photograph(160, 120));  // surplus fill bytes before a stuffed one
  const Bytes stuffed = {0xFF, 0x00};
  const auto first_stuffed = std::search(filled.begin() + std::ptrdiff_t(data_begin(filled)),
                                         filled.end(), stuffed.begin(), stuffed.end());
  ASSERT_NE(first_stuffed, filled.end());
  filled.insert(first_stuffed, 0xFF);
  for (const Bytes& damaged : {without_end, cut, surplus, wrong_restart, no_restart, filled}) {
    EXPECT_FALSE(read_ourselves(damaged));
  }
  EXPECT_TRUE(read_ourselves(whole));
}

// A picture of coefficients as libjpeg has it, where a decoder must see the same.
void expect_same_picture(const Bytes& result, const Bytes& source) {
  const JpegFacts after = read_jpeg(result);
  EXPECT_EQ(after.warnings, 0);
  const JpegFacts before = read_jpeg(source);
  EXPECT_EQ(after.picture.width, before.picture.width);
  EXPECT_EQ(after.picture.samples, before.picture.samples);
}

// At quality 100 nothing is requantised where the source's steps are no finer.
void expect_lossless(const Bytes& source) {
  for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
    const CodecResult result = press(source, effort, 100);
    EXPECT_FALSE(result.kept_source);
    expect_same_picture(result.bytes, source);
  }
}

TEST(UnusualFiles, SamplingFactorsThatSayNothing) {
  JpegForm form;  // all components have the same resolution
  form.scan_per_component = true;
  form.luma_across = form.luma_down = form.chroma_factors = 2;
  JpegForm plain_form;
  plain_form.luma_across = plain_form.luma_down = 1;
  for (const int quality : {20, 85}) {  // 20: its chroma is not worth halving
    form.quality = plain_form.quality = quality;
    const Picture picture = photograph(75, 53);
    for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
      const CodecResult result = press(make_jpeg(picture, form), effort);
      EXPECT_EQ(read_jpeg(result.bytes).warnings, 0);
      EXPECT_EQ(result.bytes, press(make_jpeg(picture, plain_form), effort).bytes);
    }
  }
}

TEST(UnusualFiles, UnitsThatNoFileOfOneScanMayHave) {
  JpegForm form;
  form.scan_per_component = true;
  form.luma_across = form.luma_down = 4;
  try {
    press(make_jpeg(photograph(75, 53), form));
    FAIL() << "eighteen blocks in a unit";
  } catch (const FaultError& error) {
    EXPECT_EQ(error.fault(), Fault::kUnsupportedImage);
  }
}

TEST(UnusualFiles, ComponentsWithTheSameName) {
  Bytes source = make_jpeg(photograph(75, 53));
  const Bytes frame = {0xFF, 0xC0};
  const auto at = std::search(source.begin(), source.end(), frame.begin(), frame.end());
  const std::size_t names = std::size_t(at - source.begin()) + 10;
  const Bytes scan = {0xFF, 0xDA};
  const auto scan_at = std::search(source.begin(), source.end(), scan.begin(), scan.end());
  const std::size_t scan_names = std::size_t(scan_at - source.begin()) + 5;
  for (std::size_t i = 0; i < 3; ++i) source[names + 3 * i] = source[scan_names + 2 * i] = 1;
  expect_lossless(source);
}

// Whatever a hostile file holds: nothing bad happens, and what we accept, libjpeg accepts as well
// and reads alike.
TEST(BaselineReader, AcceptsNothingThatLibjpegWouldReadOtherwise) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    JpegForm form;
    form.restart_interval = random() % 3 == 0 ? 3 : 0;
    form.luma_across = form.luma_down = 1 + int(random() % 2);
    static const Picture picture = photograph(72, 56);
    Bytes source = make_jpeg(picture, form);
    const std::size_t from = random() % 4 == 0 ? 20 : data_begin(source);  // tables, too
    for (unsigned i = 0; i <= random() % 3; ++i) {
      std::uint8_t& byte = source[from + random() % (source.size() - from)];
      byte = random() % 2 == 0 ? std::uint8_t(random()) : std::uint8_t(byte ^ 1 << random() % 8);
    }
    const auto ours = read_ourselves(source);
    if (!ours) continue;
    const LibjpegReading theirs = read_with_libjpeg(source);
    ASSERT_EQ(theirs.fault, "") << "round " << round;
    ASSERT_EQ(*ours, theirs.planes) << "round " << round;
    ++accepted;
  }
  EXPECT_GT(accepted, 100);  // a changed bit often makes another legal file
}

CoefficientImage random_picture(std::mt19937& random, int planes) {
  CoefficientImage picture;
  for (int i = 0; i < planes; ++i) {
    Plane plane;
    plane.id = std::uint8_t(i + 1);
    plane.channel = i == 1 || i == 2 ? Channel::kChroma : Channel::kLuma;
    plane.h_factor = plane.v_factor = planes == 3 && i == 0 ? 2 : 1;
    plane.width = plane.h_factor == 2 ? 9 : planes == 3 ? 5 : 9;
    plane.height = plane.h_factor == 2 ? 7 : planes == 3 ? 4 : 7;
    plane.steps.fill(std::uint16_t(i == 2 ? 300 : 10));
    plane.make_blocks();
    for (std::size_t b = 0; b < plane.count(); ++b) {
      clear(plane.blocks[b]);
      const unsigned density = random() % 3 == 0 ? 0 : 1 + random() % 64;
      for (std::int16_t& level : plane.blocks[b].at) {
        if (random() % 64 < density) level = std::int16_t(int(random() % 2047) - 1023);
      }
      if (random() % 4 == 0) plane.blocks[b].at[63] = -1023;  // far out, behind many zeros
    }
    picture.push_back(std::move(plane));
  }
  return picture;
}

TEST(CoefficientWriter, LibjpegReadsWhatWasWritten) {
  std::mt19937 random(8);
  for (int round = 0; round < 60; ++round) {
    for (const int planes : {1, 3, 4}) {
      for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
        const CoefficientImage picture = random_picture(random, planes);
        FrameHeader header;
        header.width = 9 * 8 - 3;
        header.height = 7 * 8 - 5;
        header.jfif = planes != 4;
        const auto file = write_coefficients(picture, header, {}, effort, 1'000'000);
        ASSERT_TRUE(file);
        const LibjpegReading reading = read_with_libjpeg(*file);
        ASSERT_EQ(reading.fault, "");
        ASSERT_EQ(reading.planes, in_rows(picture));
      }
    }
  }
}

// A grey picture of 400 x 100 blocks, empty from its top, then as busy as can be: its codes are of
// all lengths, and the runs of blocks that end at once, being rare, have the longest.
CoefficientImage empty_then_busy(std::uint32_t empty_blocks) {
  CoefficientImage picture(1);
  Plane& plane = picture[0];
  plane.width = 400;
  plane.height = 100;
  plane.steps.fill(10);
  plane.make_blocks();
  std::mt19937 random(3);
  for (std::size_t b = 0; b < plane.count(); ++b) {
    clear(plane.blocks[b]);
    if (b < empty_blocks) continue;
    for (std::size_t i = 1; i < 30; ++i) {
      const int level = 1 << std::min(9, __builtin_ctz(static_cast<unsigned>(random()) | 512));
      if (random() % 2 == 0)
        plane.blocks[b].at[i] = std::int16_t(random() % 2 == 0 ? level : -level);
    }
  }
  return picture;
}

TEST(CoefficientWriter, LongRunsOfEmptyBlocks) {
  FrameHeader header;
  header.width = 3200;
  header.height = 800;
  for (const std::uint32_t empty : {1U, 4094U, 4095U, 4096U, 8191U, 17'000U, 36'000U, 40'000U}) {
    const CoefficientImage picture = empty_then_busy(empty);
    const auto file = write_coefficients(picture, header, {}, Effort::kSmall, 10'000'000);
    ASSERT_TRUE(file);
    const LibjpegReading reading = read_with_libjpeg(*file);
    EXPECT_EQ(reading.fault, "") << empty;
    EXPECT_EQ(reading.planes, in_rows(picture)) << empty;
  }
}

TEST(CoefficientWriter, FastEffortHasACodeForEveryLevel) {
  // Rows of MCUs that are not sampled hold what no sampled one does.
  CoefficientImage picture(1);
  Plane& plane = picture[0];
  plane.width = 4;
  plane.height = 40;
  plane.steps.fill(1);
  plane.make_blocks();
  std::mt19937 random(6);
  for (std::size_t b = 0; b < plane.count(); ++b) {
    clear(plane.blocks[b]);
    if (b / plane.width % 8 == 0) continue;
    for (std::int16_t& level : plane.blocks[b].at) {
      if (random() % 8 == 0) level = std::int16_t(int(random() % (2 * kMaxLevel + 1)) - kMaxLevel);
    }
    plane.blocks[b].at[0] = b % 2 == 0 ? kMinDc : kMaxLevel;
    plane.blocks[b].at[63] = b % 2 == 0 ? kMaxLevel : -kMaxLevel;
  }
  FrameHeader header;
  header.width = 32;
  header.height = 320;
  const auto file = write_coefficients(picture, header, {}, Effort::kFast, 1'000'000);
  ASSERT_TRUE(file);
  const LibjpegReading reading = read_with_libjpeg(*file);
  EXPECT_EQ(reading.fault, "");
  EXPECT_EQ(reading.planes, in_rows(picture));
}

TEST(CoefficientWriter, GivesUpOnceThereIsNoRoom) {
  std::mt19937 random(9);
  const CoefficientImage picture = random_picture(random, 3);
  FrameHeader header;
  header.width = 69;
  header.height = 51;
  for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
    const std::size_t size = write_coefficients(picture, header, {}, effort, 1'000'000)->size();
    EXPECT_TRUE(write_coefficients(picture, header, {}, effort, size + 1));
    for (const std::size_t room : {size, size - 1, size / 2, std::size_t{10}, std::size_t{0}}) {
      EXPECT_FALSE(write_coefficients(picture, header, {}, effort, room)) << room;
    }
  }
}

}  // namespace
}  // namespace imgpress::press
