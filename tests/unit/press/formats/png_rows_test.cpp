#include "press/formats/png_rows.hpp"

#include <gtest/gtest.h>

#include "core/rules/fault.hpp"
#include "support/images/image_fixtures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

constexpr int kWidth = 97;
constexpr int kHeight = 61;

Bytes file_of(int channels) {
  return make_png(photograph(kWidth, kHeight, channels));
}

bool is_read(const Bytes& file, int channels, Bytes& pixels) {
  return read_png_rows(parse_png_chunks(view(file)), kWidth, kHeight, std::size_t(channels),
                       pixels);
}

bool is_read(const Bytes& file) {
  Bytes pixels;
  return is_read(file, 3, pixels);
}

// The compressed rows of a file.
Bytes data_of(const Bytes& file) {
  Bytes data;
  for (const PngChunk& chunk : parse_png_chunks(view(file)).data) {
    const ByteView payload = chunk.payload();
    data.insert(data.end(), payload.data, payload.data + payload.size);
  }
  return data;
}

// The file with these chunks instead of its own data.
Bytes with_data(const Bytes& file, const std::vector<std::pair<const char*, Bytes>>& chunks) {
  Bytes other(file.begin(), file.begin() + 8 + 25);
  for (const auto& [type, payload] : chunks) {
    const Bytes chunk =
        png_chunk(type, {reinterpret_cast<const char*>(payload.data()), payload.size()});
    other.insert(other.end(), chunk.begin(), chunk.end());
  }
  const Bytes end = png_chunk("IEND", "");
  other.insert(other.end(), end.begin(), end.end());
  return other;
}

// What becomes of the file, fast or by libpng: the reason of a refusal, or nothing.
std::string refusal_of(const Bytes& file) {
  try {
    press(file);
    return "";
  } catch (const FaultError& error) {
    return error.what();
  }
}

void expect_left_to_libpng(const Bytes& file, const std::string& refusal) {
  EXPECT_FALSE(is_read(file));
  EXPECT_EQ(refusal_of(file), "PNG file: " + refusal);
}

TEST(PngRows, AreReadOfEveryNumberOfChannels) {
  for (int channels = 1; channels <= 4; ++channels) {
    Bytes pixels;
    EXPECT_TRUE(is_read(file_of(channels), channels, pixels));
    EXPECT_EQ(pixels, photograph(kWidth, kHeight, channels).samples);
  }
}

TEST(PngRows, MayLieInSeveralChunks) {
  const Bytes file = file_of(3);
  const Bytes data = data_of(file);
  const auto middle = data.begin() + std::ptrdiff_t(data.size() / 2);
  const Bytes first(data.begin(), middle);
  const Bytes second(middle, data.end());
  const Bytes split = with_data(file, {{"IDAT", first}, {"IDAT", {}}, {"IDAT", second}});
  EXPECT_TRUE(is_read(split));
  EXPECT_EQ(press(split).bytes, press(file).bytes);

  const Bytes apart = with_data(file, {{"IDAT", first}, {"tEXt", {'a', 0}}, {"IDAT", second}});
  expect_left_to_libpng(apart, "Not enough image data");
}

TEST(PngRows, DamagedChunksAreLeftToLibpng) {
  const Bytes file = file_of(3);
  Bytes wrong_checksum = file;
  wrong_checksum[wrong_checksum.size() - 12 - 1] ^= 1;
  expect_left_to_libpng(wrong_checksum, "IDAT: CRC error");

  Bytes truncated = file;
  truncated.resize(file.size() - 400);
  expect_left_to_libpng(truncated, "it ends before the picture is complete");
}

TEST(PngRows, DamagedDataIsLeftToLibpng) {
  const Bytes file = file_of(3);
  const Bytes data = data_of(file);
  const Bytes cut(data.begin(), data.end() - 400);
  expect_left_to_libpng(with_data(file, {{"IDAT", cut}}), "Not enough image data");

  Bytes wrong_checksum = data;
  wrong_checksum.back() ^= 1;
  expect_left_to_libpng(with_data(file, {{"IDAT", wrong_checksum}}), "IDAT: incorrect data check");

  constexpr std::size_t kRow = kWidth * 3 + 1;
  Bytes rows(kRow * kHeight);
  rows[kRow * 7] = 5;
  Bytes packed(compressBound(rows.size()));
  uLongf size = packed.size();
  ::compress(packed.data(), &size, rows.data(), rows.size());
  packed.resize(size);
  expect_left_to_libpng(with_data(file, {{"IDAT", packed}}), "bad adaptive filter value");
}

TEST(PngRows, BytesBehindTheDataDoNotMatter) {
  const Bytes file = file_of(3);
  Bytes longer = data_of(file);
  longer.insert(longer.end(), 100, 'x');
  EXPECT_TRUE(is_read(with_data(file, {{"IDAT", longer}})));
  EXPECT_EQ(press(with_data(file, {{"IDAT", longer}})).bytes, press(file).bytes);
}

// zlib refuses references that reach farther back than the header says, libdeflate does not.
TEST(PngRows, ReferencesThatReachTooFarAreLeftToLibpng) {
  const Bytes file = file_of(3);
  Bytes data = data_of(file);
  data[0] = 0x08;  // a window of 256 bytes
  data[1] = 31 - 0x0800 % 31;
  EXPECT_FALSE(is_read(with_data(file, {{"IDAT", data}})));
}

}  // namespace
}  // namespace imgpress::press
