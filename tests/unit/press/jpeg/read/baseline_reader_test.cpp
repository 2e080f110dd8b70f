// Compares our reader of baseline files with libjpeg.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>

#include "support/images/image_fixtures.hpp"
#include "press/jpeg/read/baseline_reader.hpp"
#include "press/jpeg/read/coefficient_reader.hpp"
#include "support/images/libjpeg_coefficients.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

// std::nullopt if our reader leaves the file to libjpeg.
std::optional<Coefficients> read_ourselves(const Bytes& source) {
  try {
    LibjpegGuard guard;
    LibjpegDecoder decoder(guard);
    decoder.read_header(view(source), {50'000'000});
    const CoefficientImage picture = describe_image(decoder.state());
    const ImageRows rows = read_baseline(decoder, picture);
    if (rows.empty()) return std::nullopt;
    return in_rows(picture, rows);
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
        if (channels == 4 && form.luma_across * form.luma_down > 4)
          continue;  // at most ten blocks in an MCU
        const Bytes source = make_jpeg(photograph(width, height, channels), form);
        const auto ours = read_ourselves(source);
        ASSERT_TRUE(ours) << width << " x " << height << ", " << channels << " channels";
        ASSERT_EQ(*ours, read_with_libjpeg(view(source)).planes);
      }
    }
  }
}

TEST(BaselineReader, ReadsTheLargestCoefficients) {
  Picture noise = plain(64, 64, {0, 0, 0});
  std::mt19937 random(4);
  for (auto& sample : noise.samples) sample = random() % 2 == 0 ? 0 : 255;
  JpegForm form;
  form.quality = 100;
  form.luma_across = form.luma_down = 1;
  const Bytes source = make_jpeg(noise, form);
  const auto ours = read_ourselves(source);
  ASSERT_TRUE(ours);
  EXPECT_EQ(*ours, read_with_libjpeg(view(source)).planes);
}

TEST(BaselineReader, LeavesOtherFilesToLibjpeg) {
  JpegForm progressive;
  progressive.progressive = true;
  JpegForm arithmetic;
  arithmetic.arithmetic = true;
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), progressive)));
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), arithmetic)));
}

// Offset of the data of the first scan.
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
  Bytes filled = make_jpeg(photograph(160, 120));  // a fill byte before a stuffed byte
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

// Files with random changes: what our reader accepts, libjpeg accepts as well, and reads the same.
TEST(BaselineReader, AcceptsNothingThatLibjpegReadsDifferently) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    JpegForm form;
    form.restart_interval = random() % 3 == 0 ? 3 : 0;
    form.luma_across = form.luma_down = 1 + int(random() % 2);
    static const Picture picture = photograph(72, 56);
    Bytes source = make_jpeg(picture, form);
    damage(source, random() % 4 == 0 ? 20 : data_begin(source), random);  // or the tables, too
    const auto ours = read_ourselves(source);
    if (!ours) continue;
    const LibjpegReading theirs = read_with_libjpeg(view(source));
    ASSERT_EQ(theirs.fault, "") << "round " << round;
    ASSERT_EQ(*ours, theirs.planes) << "round " << round;
    ++accepted;
  }
  EXPECT_GT(accepted, 100);  // a changed bit often leaves the file valid
}

}  // namespace
}  // namespace imgpress::press
