// A block of coefficients or samples as vectors of floating-point numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

// Numbers in a SIMD register: of any x86-64, and of AVX2. The compiler splits longer ones than the
// CPU has, but makes them go through memory.
typedef float Four __attribute__((vector_size(4 * sizeof(float))));
typedef float Eight __attribute__((vector_size(8 * sizeof(float))));

constexpr std::size_t kSide = 8;  // of a block

// The rows of a block: whole ones, or the left halves and the right ones.
template <typename Numbers>
struct VectorBlock {
  static constexpr std::size_t kLanes = sizeof(Numbers) / sizeof(float);
  static constexpr std::size_t kParts = kSide / kLanes;

  Numbers parts[kParts][kSide];
};

// Each exchanges half of the numbers in two rows: the odd places of `a` for the even ones of `b`,
// then likewise for places in twos and in fours.
IMGPRESS_INLINE void exchange_ones(Eight& a, Eight& b) {
  const Eight even = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  b = __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  a = even;
}

IMGPRESS_INLINE void exchange_twos(Eight& a, Eight& b) {
  const Eight even = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  b = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  a = even;
}

IMGPRESS_INLINE void exchange_fours(Eight& a, Eight& b) {
  const Eight even = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
  b = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  a = even;
}

// Without loops, so that the rows stay in registers.
IMGPRESS_INLINE void transpose(VectorBlock<Eight>& block) {
  Eight* const rows = block.parts[0];
  exchange_ones(rows[0], rows[1]);
  exchange_ones(rows[2], rows[3]);
  exchange_ones(rows[4], rows[5]);
  exchange_ones(rows[6], rows[7]);
  exchange_twos(rows[0], rows[2]);
  exchange_twos(rows[1], rows[3]);
  exchange_twos(rows[4], rows[6]);
  exchange_twos(rows[5], rows[7]);
  exchange_fours(rows[0], rows[4]);
  exchange_fours(rows[1], rows[5]);
  exchange_fours(rows[2], rows[6]);
  exchange_fours(rows[3], rows[7]);
}

IMGPRESS_INLINE void transpose_quarter(Four* rows) {
  const Four upper = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const Four upper_right = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const Four lower = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const Four lower_right = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(upper, lower, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(upper, lower, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(upper_right, lower_right, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(upper_right, lower_right, 2, 3, 6, 7);
}

IMGPRESS_INLINE void transpose(VectorBlock<Four>& block) {
  constexpr std::size_t kHalf = kSide / 2;
  for (Four* const part : {block.parts[0], block.parts[1]}) {
    transpose_quarter(part);
    transpose_quarter(part + kHalf);
  }
  for (std::size_t i = 0; i < kHalf; ++i) std::swap(block.parts[0][kHalf + i], block.parts[1][i]);
}

// Where round_columns() has the coefficient of column `u` and row `v` at first: columns are paired.
constexpr std::size_t index_of(std::size_t u, std::size_t v) {
  constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  const std::size_t second = u % 2;
  return u / 2 * 2 * kSide + 2 * v + (kLittleEndian ? second : 1 - second);
}

// For each of these indices, its place in zigzag order.
constexpr std::array<std::uint8_t, kBlockSize> make_places() {
  std::array<std::uint8_t, kBlockSize> places{};
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    places[index_of(kZigzag[i] % kSide, kZigzag[i] / kSide)] = static_cast<std::uint8_t>(i);
  }
  return places;
}

constexpr auto kPlaces = make_places();

// From here on it takes less time to move all levels than to find those that are not zero.
constexpr int kDenseBlock = 16;

// A number to which small ones are added so that they are rounded to integers, which are then the
// lower bits of the sum.
constexpr float kRounder = 3 << 22;

// Rounds coefficients that are stored column by column, and less than 2^15, to the levels of a
// block.
template <typename Numbers>
IMGPRESS_INLINE void round_columns(const VectorBlock<Numbers>& columns, Block& block) {
  // Two levels in each number.
  typedef std::uint32_t Pairs __attribute__((vector_size(sizeof(Numbers))));
  Block levels;
  for (std::size_t part = 0; part < columns.kParts; ++part) {
    for (std::size_t i = 0; i < kSide; i += 2) {
      const Numbers first = columns.parts[part][i] + kRounder;
      const Numbers second = columns.parts[part][i + 1] + kRounder;
      const Pairs pairs =
          (reinterpret_cast<Pairs>(first) & 0xFFFFU) | reinterpret_cast<Pairs>(second) << 16U;
      std::memcpy(levels.at + i * kSide + 2 * part * columns.kLanes, &pairs, sizeof pairs);
    }
  }
  std::uint64_t nonzero = nonzero_in(levels);
  if (__builtin_popcountll(nonzero) >= kDenseBlock) {
#pragma GCC unroll 64
    for (std::size_t i = 0; i < kBlockSize; ++i) block.at[kPlaces[i]] = levels.at[i];
  } else {
    clear(block);
    for (; nonzero != 0; nonzero &= nonzero - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctzll(nonzero));
      block.at[kPlaces[i]] = levels.at[i];
    }
  }
}

}  // namespace imgpress::press
