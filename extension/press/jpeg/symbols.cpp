#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

void count_16_times(SymbolCounts& counts) {
  for (std::uint32_t& count : counts) count *= 16;
}

constexpr std::array<PackedSymbol, 2 * kMaxDcDifference + 1> make_packed_values() {
  std::array<PackedSymbol, 2 * kMaxDcDifference + 1> numbers{};
  for (int value = -kMaxDcDifference; value <= kMaxDcDifference; ++value) {
    const unsigned size = magnitude_bits(value);
    const int number = value < 0 ? value + (1 << size) - 1 : value;
    numbers[value + kMaxDcDifference] = static_cast<PackedSymbol>(number) << 16 | size;
  }
  return numbers;
}

constexpr auto kAllPackedValues = make_packed_values();

}  // namespace

const std::array<PackedSymbol, 2 * kMaxDcDifference + 1> kPackedValues = kAllPackedValues;

void smooth_dc_counts(SymbolCounts& counts) {
  count_16_times(counts);
  for (std::size_t bits = 0; bits <= kMaxDcBits; ++bits) ++counts[bits];
}

void smooth_ac_counts(SymbolCounts& counts) {
  count_16_times(counts);
  for (std::size_t zeros = 0; zeros < 16; ++zeros) {
    for (std::size_t bits = 1; bits <= kMaxLevelBits; ++bits) ++counts[zeros * 16 + bits];
  }
  ++counts[kEndOfBlock];
  ++counts[kSixteenZeros];
}

}  // namespace imgpress::press
