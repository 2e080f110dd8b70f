#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

void count_16_times(SymbolCounts& counts) {
  for (std::uint32_t& count : counts) count *= 16;
}

constexpr std::array<PackedSymbol, 2 * kMaxStep + 1> make_numbers() {
  std::array<PackedSymbol, 2 * kMaxStep + 1> numbers{};
  for (int value = -kMaxStep; value <= kMaxStep; ++value) {
    const unsigned size = magnitude_bits(value);
    const int number = value < 0 ? value + (1 << size) - 1 : value;
    numbers[static_cast<std::size_t>(value + kMaxStep)] =
        static_cast<PackedSymbol>(number) << 16 | size;
  }
  return numbers;
}

constexpr auto kAllNumbers = make_numbers();

}  // namespace

const std::array<PackedSymbol, 2 * kMaxStep + 1> kNumbers = kAllNumbers;

void admit_all_first_symbols(SymbolCounts& counts) {
  count_16_times(counts);
  for (std::size_t bits = 0; bits <= kMaxStepBits; ++bits) ++counts[bits];
}

void admit_all_other_symbols(SymbolCounts& counts) {
  count_16_times(counts);
  for (std::size_t zeros = 0; zeros < 16; ++zeros) {
    for (std::size_t bits = 1; bits <= kMaxLevelBits; ++bits) ++counts[zeros * 16 + bits];
  }
  ++counts[kEndOfBlock];
  ++counts[kSixteenZeros];
}

}  // namespace imgpress::press
