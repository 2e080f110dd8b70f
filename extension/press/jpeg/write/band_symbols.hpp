// The symbols of bands of AC levels in progressive scans (ITU-T T.81, G.1.2.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/symbols.hpp"
#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {

// The longest end-of-band run that is coded in one symbol. The standard allows 0x7FFF, but the
// extra bits of that do not fit into an entry of HuffmanEncoder.
constexpr unsigned kMaxEobRun = (2U << kMaxExtraBits) - 1;

// Counts end-of-band runs: blocks that end one after the other, with no levels in between.
class EobRuns {
 public:
  // Adds a block. `is_empty`: it has no levels; `ends`: it has no level at the end of the band.
  IMGPRESS_INLINE void add(bool is_empty, bool ends) {
    length_ = (is_empty ? length_ : 0U) + (ends ? 1U : 0U);
    const bool is_power = (length_ & (length_ - 1)) == 0;  // of two, or zero
    ++reached_[is_power ? magnitude_bits(static_cast<int>(length_)) : 0];
    if (__builtin_expect(length_ == kMaxEobRun, 0)) length_ = 0;
  }

  // Adds the symbols of the runs.
  void add_to(SymbolCounts& counts) const {
    for (std::size_t bits = 1; bits + 1 < reached_.size(); ++bits) {
      counts[(bits - 1) << 4] += reached_[bits] - reached_[bits + 1];
    }
  }

 private:
  unsigned length_ = 0;
  // How many runs are as long as a power of two or longer, by the bits of that.
  std::array<std::uint32_t, kMaxExtraBits + 3> reached_{};
};

// The symbols of a band of a plane.
struct BandSymbols {
  explicit BandSymbols(Band the_band) : band(the_band) {}

  Band band;
  SymbolStream symbols;  // in which each block has an end of its own
  EobRuns runs;          // of these ends
};

// Appends the symbols of a row of blocks to each of `bands`.
void add_symbols(const Block* blocks, std::size_t count, std::vector<BandSymbols>& bands);

// Replaces ends that follow each other by runs.
void merge_ends(SymbolStream& symbols);

}  // namespace imgpress::press
