// The 64 coefficients of a block, in coding order: the first one is the block's mean, the others
// follow along the diagonals (ITU-T T.81, figure A.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace imgpress::press {

constexpr std::size_t kBlockSize = 64;

// The largest magnitude that a baseline JPEG can code.
constexpr int kMaxLevel = 1023;

// First coefficients go one further down: 8-bit samples less 128 do.
constexpr int kMinDc = -kMaxLevel - 1;

struct alignas(64) Block {
  std::int16_t at[kBlockSize];
};

// Sixteen coefficients at once, in as many registers as that takes.
typedef std::int16_t Sixteen __attribute__((vector_size(32)));

// The compiler's own way takes longer than to fill the block afterwards.
inline void clear(Block& block) {
  auto* sixteens = reinterpret_cast<Sixteen*>(block.at);
  for (std::size_t i = 0; i < kBlockSize / 16; ++i) sixteens[i] = Sixteen{};
}

// Row by row, the place of each coefficient in coding order.
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
