#include "press/jpeg/write/progressive_scans.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/write/band_symbols.hpp"
#include "press/jpeg/write/bit_packer.hpp"
#include "press/jpeg/write/mcu_order.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {
namespace {

// Luma is split into two bands, with the low frequencies first. Other planes are not.
constexpr std::uint8_t kLastCoarse = 9;
constexpr Band kCoarse = {1, kLastCoarse};
constexpr Band kFine = {kLastCoarse + 1, kBlockSize - 1};
constexpr Band kAll = {1, kBlockSize - 1};

// Writes the DC symbols of a row of MCUs; returns their end.
IMGPRESS_CPU_TARGETS
PackedSymbol* write_dc_row(const CoefficientImage& part, DcPredictor& dc, PackedSymbol* next) {
  visit_mcu_row(part, [&](std::size_t i, const Block* block) IMGPRESS_INLINE_LAMBDA {
    const auto table = static_cast<PackedSymbol>(code_slot(part[i])) << 8;
    *next++ = packed_value(dc.difference(i, block)) | table;
  });
  return next;
}

// Appends the DC symbols of a row of MCUs.
void put_dc_row(const CoefficientImage& part, DcPredictor& dc, SymbolStream& stream) {
  PackedSymbol* const begin = stream.open(blocks_in_mcu_row(part));
  stream.close(write_dc_row(part, dc, begin));
  stream.count();
}

bool put_dc_scan(const CoefficientImage& image, const SymbolStream& stream, std::size_t size_limit,
                 SegmentWriter& file) {
  HuffmanEncoder codes;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    if (stream.counts(slot) == SymbolCounts{}) continue;
    const HuffmanCode code = optimal_huffman_code(stream.counts(slot));
    file.put_code(CodeClass::kDc, slot, code);
    codes.set_table(slot, code);
  }
  std::vector<ScanComponent> components;
  for (std::size_t i = 0; i < image.size(); ++i) {
    components.push_back({i, code_slot(image[i]), 0});
  }
  file.put_scan(image, components, {0, 0});
  return pack_symbols(stream, codes, size_limit, file);
}

// A Huffman code, and how many bits of data it leads to.
struct ChosenCode {
  HuffmanCode code;
  std::uint64_t bits;
};

ChosenCode choose_code(const SymbolCounts& counts) {
  ChosenCode chosen{optimal_huffman_code(counts), 0};
  visit_codes(chosen.code, [&](unsigned symbol, unsigned length) {
    chosen.bits += std::uint64_t{counts[symbol]} * (length + extra_bits(symbol));
  });
  return chosen;
}

// The code for the symbols of all planes. Their ends are merged where that takes fewer bits; where
// runs are short, one symbol for every single end does.
HuffmanCode choose_code(const std::vector<BandSymbols*>& planes) {
  SymbolCounts single{};
  for (const BandSymbols* plane : planes) {
    const SymbolCounts counts = plane->symbols.counts(0);
    for (std::size_t i = 0; i < single.size(); ++i) single[i] += counts[i];
  }
  SymbolCounts merged = single;
  merged[kEndOfBlock] = 0;
  for (const BandSymbols* plane : planes) plane->runs.add_to(merged);
  const ChosenCode with_single_ends = choose_code(single);
  const ChosenCode with_runs = choose_code(merged);
  if (with_single_ends.bits < with_runs.bits) return with_single_ends.code;
  for (BandSymbols* plane : planes) merge_ends(plane->symbols);
  return with_runs.code;
}

// The symbols of a band in one of the planes of an image.
struct BandOfPlane {
  std::size_t plane;
  BandSymbols& symbols;
};

// Writes a code for all of them, and a scan for each.
bool put_band_scans(const CoefficientImage& image, const std::vector<BandOfPlane>& scans,
                    std::size_t size_limit, SegmentWriter& file) {
  std::vector<BandSymbols*> symbols;
  symbols.reserve(scans.size());
  for (const BandOfPlane& scan : scans) symbols.push_back(&scan.symbols);
  const HuffmanCode code = choose_code(symbols);
  file.put_code(CodeClass::kAc, 0, code);
  HuffmanEncoder codes;
  codes.set_table(0, code);
  for (const BandOfPlane& scan : scans) {
    file.put_scan(image, {{scan.plane, 0, 0}}, scan.symbols.band);
    if (!pack_symbols(scan.symbols.symbols, codes, size_limit, file)) return false;
  }
  return true;
}

// The scans of luma: one for each band, or a single one, in `coarse`.
struct LumaScans {
  SegmentWriter coarse;
  SegmentWriter fine;
};

std::optional<LumaScans> write_luma_scans(const CoefficientImage& image,
                                          std::vector<BandSymbols>& bands, std::size_t size_limit) {
  LumaScans split;
  LumaScans whole;
  const bool whole_fits = put_band_scans(image, {{0, bands[2]}}, size_limit, whole.coarse);
  const bool split_fits = put_band_scans(image, {{0, bands[0]}}, size_limit, split.coarse) &&
                          put_band_scans(image, {{0, bands[1]}}, size_limit, split.fine);
  if (!whole_fits && !split_fits) return std::nullopt;
  // In small images a second Huffman code costs more than the split gains.
  const bool should_split =
      !whole_fits || (split_fits && split.coarse.size() + split.fine.size() <= whole.coarse.size());
  return should_split ? std::move(split) : std::move(whole);
}

// The planes whose codes are in a slot, without the first one; one scan each.
bool put_other_scans(const CoefficientImage& image, std::vector<std::vector<BandSymbols>>& bands,
                     std::uint8_t slot, std::size_t size_limit, SegmentWriter& file) {
  std::vector<BandOfPlane> scans;
  for (std::size_t i = 1; i < image.size(); ++i) {
    if (code_slot(image[i]) == slot) scans.push_back({i, bands[i][0]});
  }
  return scans.empty() || put_band_scans(image, scans, size_limit, file);
}

}  // namespace

ProgressiveScans::ProgressiveScans(std::size_t planes) : bands_(planes) {
  for (const Band band : {kCoarse, kFine, kAll}) bands_[0].emplace_back(band);
  for (std::size_t i = 1; i < planes; ++i) bands_[i].emplace_back(kAll);
}

void ProgressiveScans::add(const CoefficientImage& part) {
  put_dc_row(part, dc_, dc_symbols_);
  for (std::size_t i = 0; i < part.size(); ++i) {
    for (std::uint32_t y = 0; y < part[i].height; ++y) {
      add_symbols(part[i].row(y), part[i].width, bands_[i]);
    }
  }
}

bool ProgressiveScans::put(const CoefficientImage& image, std::size_t size_limit,
                           SegmentWriter& file) {
  if (!put_dc_scan(image, dc_symbols_, size_limit, file)) return false;
  const std::optional<LumaScans> luma = write_luma_scans(image, bands_[0], size_limit);
  if (!luma) return false;
  file.put(luma->coarse);
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    if (!put_other_scans(image, bands_, slot, size_limit, file)) return false;
  }
  file.put(luma->fine);
  return file.size() < size_limit;
}

}  // namespace imgpress::press
