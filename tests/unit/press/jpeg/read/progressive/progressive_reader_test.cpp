// Compares our reader of progressive files with libjpeg.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "support/images/image_fixtures.hpp"
#include "press/jpeg/read/coefficient_reader.hpp"
#include "press/jpeg/read/progressive/progressive_reader.hpp"
#include "support/images/libjpeg_coefficients.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;
using Script = std::vector<jpeg_scan_info>;

// std::nullopt if our reader leaves the file to libjpeg.
std::optional<Coefficients> read_ourselves(const Bytes& source) {
  try {
    LibjpegGuard guard;
    LibjpegDecoder decoder(guard);
    decoder.read_header(view(source), {50'000'000});
    const CoefficientImage picture = describe_image(decoder.state());
    const ImageRows rows = read_progressive(decoder, picture);
    if (rows.empty()) return std::nullopt;
    return in_rows(picture, rows);
  } catch (const FaultError&) {
    return std::nullopt;
  }
}

void expect_same(const Bytes& source, const std::string& name) {
  const auto ours = read_ourselves(source);
  ASSERT_TRUE(ours) << name;
  const LibjpegReading theirs = read_with_libjpeg(view(source));
  ASSERT_EQ(theirs.fault, "") << name;
  ASSERT_EQ(*ours, theirs.planes) << name;
}

jpeg_scan_info band(int component, int first, int last, int high, int low) {
  return {1, {component, 0, 0, 0}, first, last, high, low};
}

// A script that tells the bits from `low` up of the AC levels of a component, and then each of the
// lower ones, in bands that are split at random places.
void add_bands(int component, int low, std::mt19937& random, Script& script) {
  for (int bit = low; bit >= 0; --bit) {
    for (int first = 1, last = 0; first < 64; first = last + 1) {
      last = random() % 2 == 0 ? 63 : std::min(63, first + int(random() % 20));
      script.push_back(band(component, first, last, bit == low ? 0 : bit + 1, bit));
    }
  }
}

// A script with each component's scans in a legal order, and those of the components mixed.
Script random_script(int components, std::mt19937& random) {
  std::vector<Script> queues(std::size_t{1} + std::size_t(components));
  const int dc_low = int(random() % 4);
  const bool interleaved = components > 1 && random() % 2 == 0;
  for (int bit = dc_low; bit >= 0; --bit) {
    const int high = bit == dc_low ? 0 : bit + 1;
    if (interleaved) {
      queues[0].push_back({components, {0, 1, 2, 3}, 0, 0, high, bit});
    } else {
      for (int i = 0; i < components; ++i) queues[0].push_back(band(i, 0, 0, high, bit));
    }
  }
  const std::size_t first_dc = interleaved ? 1 : std::size_t(components);
  Script script(queues[0].begin(), queues[0].begin() + std::ptrdiff_t(first_dc));
  queues[0].erase(queues[0].begin(), queues[0].begin() + std::ptrdiff_t(first_dc));
  for (int i = 0; i < components; ++i) {
    add_bands(i, int(random() % 4), random, queues[std::size_t(i) + 1]);
  }
  while (std::any_of(queues.begin(), queues.end(), [](const Script& it) { return !it.empty(); })) {
    Script& queue = queues[random() % queues.size()];
    if (queue.empty()) continue;
    script.push_back(queue.front());
    queue.erase(queue.begin());
  }
  return script;
}

JpegForm progressive_form() {
  JpegForm form;
  form.progressive = true;
  return form;
}

const std::vector<std::pair<int, int>> kSizes = {{1, 1}, {8, 8}, {17, 33}, {100, 61}, {161, 120}};

TEST(ProgressiveReader, ReadsWhatLibjpegReads) {
  for (const auto& [across, down] :
       std::vector<std::pair<int, int>>{{2, 2}, {1, 1}, {2, 1}, {1, 2}, {4, 1}, {1, 4}}) {
    for (const unsigned interval : {0U, 1U, 7U}) {
      for (const int quality : {30, 85, 100}) {
        JpegForm form = progressive_form();
        form.luma_across = across;
        form.luma_down = down;
        form.restart_interval = interval;
        form.quality = quality;
        for (const auto& [width, height] : kSizes) {
          for (const int channels : {1, 3, 4}) {
            expect_same(make_jpeg(photograph(width, height, channels), form),
                        std::to_string(width) + " x " + std::to_string(height) + ", " +
                            std::to_string(channels) + " channels");
          }
        }
      }
    }
  }
}

TEST(ProgressiveReader, ReadsAnyLegalScript) {
  std::mt19937 random(3);
  for (int round = 0; round < 150; ++round) {
    JpegForm form = progressive_form();
    const int channels = std::vector<int>{1, 3, 4}[random() % 3];
    form.script = random_script(channels, random);
    if (form.script.size() > std::size_t{kMaxScans}) continue;
    form.luma_across = 1 + int(random() % 2);
    form.luma_down = 1 + int(random() % 2);
    form.restart_interval = random() % 3 == 0 ? 1 + unsigned(random() % 9) : 0;
    form.quality = 40 + int(random() % 61);
    const auto [width, height] = kSizes[random() % kSizes.size()];
    expect_same(make_jpeg(photograph(width, height, channels, round), form),
                "round " + std::to_string(round));
  }
}

TEST(ProgressiveReader, ReadsNoMoreScansThanLibjpegMay) {
  JpegForm form = progressive_form();
  form.luma_across = form.luma_down = 1;
  form.script = {band(0, 0, 0, 0, 0)};
  for (int i = 1; i < 64; ++i) form.script.push_back(band(0, i, i, 0, 1));
  const int refining = kMaxScans - int(form.script.size());
  for (int i = 1; i < refining; ++i) form.script.push_back(band(0, i, i, 1, 0));
  form.script.push_back(band(0, refining, 63, 1, 0));
  expect_same(make_jpeg(photograph(40, 40, 1), form), "all scans");
  form.script.back() = band(0, refining, refining, 1, 0);
  form.script.push_back(band(0, refining + 1, 63, 1, 0));
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(40, 40, 1), form)));
}

TEST(ProgressiveReader, ReadsTheLargestLevels) {
  Picture noise = plain(64, 64, {0, 0, 0});
  std::mt19937 random(4);
  for (auto& sample : noise.samples) sample = random() % 2 == 0 ? 0 : 255;
  JpegForm form = progressive_form();
  form.quality = 100;
  form.luma_across = form.luma_down = 1;
  expect_same(make_jpeg(noise, form), "noise");
  form.script = random_script(3, random);
  expect_same(make_jpeg(noise, form), "noise in other scans");
}

TEST(ProgressiveReader, ReadsRunsOfAllLengths) {
  const Picture grey = plain(2400, 1800, {128});
  Picture dotted = grey;
  for (const int x : {700, 701, 2399}) dotted.row(900)[x] = 255;
  for (const Picture& picture : {grey, dotted}) {
    expect_same(make_jpeg(picture, progressive_form()), "few levels");
  }
}

TEST(ProgressiveReader, ReadsPhotographs) {
  for (const auto& path : corpus_files("photos")) {
    if (std::filesystem::file_size(path) > 300'000) continue;
    const Picture picture = read_jpeg(read_file(path)).picture;
    JpegForm form = progressive_form();
    if (picture.channels == 1) form.luma_across = form.luma_down = 1;
    expect_same(make_jpeg(picture, form), path.filename());
  }
}

TEST(ProgressiveReader, LeavesOtherFilesToLibjpeg) {
  JpegForm arithmetic = progressive_form();
  arithmetic.arithmetic = true;
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), {})));
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), arithmetic)));
  JpegForm many = progressive_form();
  many.scan_per_coefficient = true;
  EXPECT_FALSE(read_ourselves(make_jpeg(photograph(64, 64), many)));
}

// Offset of the last scan's marker.
std::size_t last_scan(const Bytes& jpeg) {
  const Bytes marker = {0xFF, 0xDA};
  return std::size_t(std::find_end(jpeg.begin(), jpeg.end(), marker.begin(), marker.end()) -
                     jpeg.begin());
}

Bytes with_inserted(const Bytes& jpeg, std::size_t at, const Bytes& more) {
  Bytes bytes = jpeg;
  bytes.insert(bytes.begin() + std::ptrdiff_t(at), more.begin(), more.end());
  return bytes;
}

TEST(ProgressiveReader, ReadsWhatMayStandBetweenScans) {
  const Bytes whole = make_jpeg(photograph(160, 120), progressive_form());
  const std::size_t last = last_scan(whole);
  expect_same(with_inserted(whole, last, {0xFF, 0xFE, 0, 5, 'a', 0xFF, 0xDA}), "a comment");
  expect_same(with_inserted(whole, last, {0xFF, 0xFF, 0xFF}), "fill bytes");
  expect_same(with_inserted(whole, last, {0xFF, 0xDD, 0, 4, 0xFF, 0xFF}), "a long interval");
  expect_same(with_inserted(whole, whole.size(), {1, 2, 3}), "bytes behind the end");
}

TEST(ProgressiveReader, LeavesDamagedAndUnusualFilesToLibjpeg) {
  JpegForm form = progressive_form();
  form.restart_interval = 5;
  for (const Bytes& whole : {make_jpeg(photograph(160, 120), progressive_form()),
                             make_jpeg(photograph(160, 120), form)}) {
    const std::size_t last = last_scan(whole);
    const auto begin = whole.begin();
    const Bytes end = {0xFF, 0xD9};
    Bytes without_end(begin, whole.end() - 2);
    Bytes cut(begin, begin + std::ptrdiff_t(whole.size() * 3 / 4));
    Bytes without_last(begin, begin + std::ptrdiff_t(last));
    without_last.insert(without_last.end(), end.begin(), end.end());
    Bytes twice = with_inserted(whole, last, Bytes(begin + std::ptrdiff_t(last), whole.end() - 2));
    const std::map<std::string, Bytes> files = {
        {"without its end", without_end},
        {"cut", cut},
        {"without the last scan", without_last},
        {"a scan twice", twice},
        {"more data", with_inserted(whole, whole.size() - 2, {0x12, 0x34})},
        {"a table", with_inserted(whole, last, Bytes(begin + 20, begin + 20 + 69))},
        {"an application's segment", with_inserted(whole, last, {0xFF, 0xE0, 0, 2})},
        {"an interval", with_inserted(whole, last, {0xFF, 0xDD, 0, 4, 0, 3})},
        {"half a segment", with_inserted(whole, last, {0xFF, 0xFE, 0xFF, 0xFF})},
    };
    for (const auto& [name, file] : files) EXPECT_FALSE(read_ourselves(file)) << name;
  }
}

TEST(ProgressiveReader, LeavesIllegalScriptsToLibjpeg) {
  const Bytes whole = make_jpeg(photograph(64, 64), progressive_form());  // Y 1 to 63, last bit
  const std::size_t header = last_scan(whole) + 4;
  for (const auto& [offset, value] :
       std::vector<std::pair<std::size_t, std::uint8_t>>{{0, 0},     // no component
                                                         {1, 9},     // an unknown one
                                                         {1, 2},     // another one
                                                         {2, 0x03},  // a code that is not defined
                                                         {3, 0},     // DC and AC together
                                                         {3, 2},     // one level is left out
                                                         {4, 62},    // likewise
                                                         {4, 64},    // one too many
                                                         {5, 0x00},  // everything anew
                                                         {5, 0x20},  // two bits at once
                                                         {5, 0x21}}) {  // the bit before once more
    Bytes changed = whole;
    changed[header + offset] = value;
    EXPECT_FALSE(read_ourselves(changed)) << offset << ": " << int(value);
  }
  EXPECT_TRUE(read_ourselves(whole));
}

// Files with random changes: what our reader accepts, libjpeg accepts as well, and reads the same.
TEST(ProgressiveReader, AcceptsNothingThatLibjpegReadsDifferently) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    JpegForm form = progressive_form();
    form.restart_interval = random() % 3 == 0 ? 3 : 0;
    form.luma_across = form.luma_down = 1 + int(random() % 2);
    if (random() % 2 == 0) form.script = random_script(3, random);
    static const Picture picture = photograph(72, 56);
    Bytes source = make_jpeg(picture, form);
    damage(source, 20, random);
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
