// The 64 quantised DCT coefficients ("levels") of a block of 8 x 8 samples, in zigzag order
// (ITU-T T.81, figure A.6): the DC coefficient, which is the block's mean, then 63 AC coefficients.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace imgpress::press {

constexpr std::size_t kBlockSize = 64;

// The largest magnitude of a coefficient in a baseline JPEG.
constexpr int kMaxLevel = 1023;

// DC coefficients reach one further down, since samples are coded as -128 to 127.
constexpr int kMinDc = -kMaxLevel - 1;

// Dequantised DC from which on all samples of a block round to white (255) or black (0). Halves are
// rounded up.
constexpr int kWhiteDc = 8 * 127 - 4;
constexpr int kBlackDc = -8 * 128 + 3;

struct alignas(64) Block {
  std::int16_t at[kBlockSize];
};

// A block whose AC levels fit into a byte each. DC, which rarely does, is kept elsewhere.
struct alignas(64) NarrowBlock {
  std::int8_t at[kBlockSize];
};

// Sixteen coefficients, in as many SIMD registers as that takes.
typedef std::int16_t Sixteen __attribute__((vector_size(32)));

// The code that the compiler makes of `block = {}` takes longer than filling the block afterwards.
inline void clear(std::int16_t* levels) {
  auto* sixteens = reinterpret_cast<Sixteen*>(levels);
  for (std::size_t i = 0; i < kBlockSize / 16; ++i) sixteens[i] = Sixteen{};
}

inline void clear(Block& block) {
  clear(block.at);
}

// For each position in zigzag order, its index in a block that is stored row by row.
constexpr std::array<std::uint8_t, kBlockSize> make_zigzag() {
  std::array<std::uint8_t, kBlockSize> places{};
  int row = 0;
  int column = 0;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    places[i] = static_cast<std::uint8_t>(row * 8 + column);
    const bool upwards = (row + column) % 2 == 0;
    int& forward = upwards ? column : row;
    int& backward = upwards ? row : column;
    if (forward == 7) {
      ++backward;
    } else {
      ++forward;
      if (backward > 0) --backward;
    }
  }
  return places;
}

constexpr auto kZigzag = make_zigzag();

}  // namespace imgpress::press
