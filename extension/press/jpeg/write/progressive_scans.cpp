#include "press/jpeg/write/progressive_scans.hpp"

#include <utility>
#include <vector>

#include "press/jpeg/write/bit_packer.hpp"
#include "press/jpeg/write/mcu_order.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {
namespace {

// Luma is split into two bands. The first one, with the low frequencies, ends here.
constexpr std::uint8_t kLastCoarse = 9;

// The longest end-of-band run that is coded in one symbol. The standard allows 0x7FFF (ITU-T T.81,
// G.1.2.2), but the extra bits of that do not fit into an entry of HuffmanEncoder.
constexpr unsigned kMaxEobRun = (2U << kMaxExtraBits) - 1;

// An end-of-band run: `blocks` blocks that have no further levels in the band.
template <typename Sink>
void put_eob_run(unsigned blocks, Sink& sink) {
  if (blocks == 0) return;
  const unsigned size = magnitude_bits(static_cast<int>(blocks)) - 1;
  sink.put((blocks - (1U << size)) << 16 | size << 4);
}

void collect_dc_symbols(const CoefficientImage& image, SymbolStream& stream) {
  const std::uint32_t rows = mcus_for(image[0].height, image[0].v_factor);
  DcPredictor dc;
  for (std::uint32_t y = 0; y < rows; ++y) {
    PackedSymbol* next = stream.open(blocks_in_mcu_row(image));
    visit_mcu_row(image, y, [&](std::size_t i, const Block* block) {
      const std::size_t table = code_slot(image[i]);
      SymbolSink sink{next, stream.counts(table), table};
      put_value(dc.difference(i, block), 0, sink);
    });
    stream.close(next);
  }
}

// `max_eob_run`: the most blocks in an end-of-band run.
IMGPRESS_CPU_TARGETS
void collect_band_symbols(const Plane& plane, Band band, unsigned max_eob_run,
                          SymbolStream& stream) {
  const std::uint64_t within = bits_between(band.first, band.last);
  unsigned eob_run = 0;  // not written yet
  for (std::uint32_t y = 0; y < plane.height; ++y) {
    PackedSymbol* next = stream.open(std::size_t{plane.width} * kMaxBlockSymbols);
    SymbolSink sink{next, stream.counts(0), 0};
    for (const Block *block = plane.row(y), *end = block + plane.width; block < end; ++block) {
      const std::uint64_t nonzero = nonzero_in(*block) & within;
      if (nonzero != 0) {
        put_eob_run(eob_run, sink);
        eob_run = 0;
      }
      if (put_levels(*block, nonzero, band.first - 1U, sink) == band.last) continue;
      if (++eob_run < max_eob_run) continue;
      put_eob_run(eob_run, sink);
      eob_run = 0;
    }
    if (y + 1 == plane.height) put_eob_run(eob_run, sink);
    stream.close(next);
  }
}

bool put_dc_scan(const CoefficientImage& image, std::size_t size_limit, SegmentWriter& file) {
  SymbolStream stream;
  collect_dc_symbols(image, stream);
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

// The symbols of a band of some planes, and a Huffman code for all of them.
struct CodedBand {
  std::vector<SymbolStream> streams;
  HuffmanCode code;
  std::uint64_t bits = 0;  // of the coded data
};

CodedBand code_band(const CoefficientImage& image, const std::vector<std::size_t>& planes,
                    Band band, unsigned max_eob_run) {
  CodedBand coded;
  coded.streams.resize(planes.size());
  SymbolCounts counts{};
  for (std::size_t i = 0; i < planes.size(); ++i) {
    collect_band_symbols(image[planes[i]], band, max_eob_run, coded.streams[i]);
    for (std::size_t k = 0; k < counts.size(); ++k) counts[k] += coded.streams[i].counts(0)[k];
  }
  coded.code = optimal_huffman_code(counts);
  visit_codes(coded.code, [&](unsigned symbol, unsigned length) {
    coded.bits += std::uint64_t{counts[symbol]} * (length + extra_bits(symbol));
  });
  return coded;
}

// Writes one scan for each plane.
bool put_band_scans(const CoefficientImage& image, const std::vector<std::size_t>& planes,
                    Band band, std::size_t size_limit, SegmentWriter& file) {
  if (planes.empty()) return true;
  CodedBand coded = code_band(image, planes, band, kMaxEobRun);
  // Where runs are short, one symbol for every single end of band takes fewer bits than many
  // symbols for runs of all lengths.
  CodedBand singly = code_band(image, planes, band, 1);
  if (singly.bits < coded.bits) coded = std::move(singly);
  file.put_code(CodeClass::kAc, 0, coded.code);
  HuffmanEncoder codes;
  codes.set_table(0, coded.code);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    file.put_scan(image, {{planes[i], 0, 0}}, band);
    if (!pack_symbols(coded.streams[i], codes, size_limit, file)) return false;
  }
  return true;
}

// Writes the first plane (luma) in one scan for each band, and the others in one scan each, after
// the first band.
bool put_ac_scans(const CoefficientImage& image, const std::vector<Band>& bands,
                  std::size_t size_limit, SegmentWriter& file) {
  if (!put_band_scans(image, {0}, bands[0], size_limit, file)) return false;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    std::vector<std::size_t> planes;
    for (std::size_t i = 1; i < image.size(); ++i) {
      if (code_slot(image[i]) == slot) planes.push_back(i);
    }
    if (!put_band_scans(image, planes, {1, kBlockSize - 1}, size_limit, file)) return false;
  }
  for (std::size_t i = 1; i < bands.size(); ++i) {
    if (!put_band_scans(image, {0}, bands[i], size_limit, file)) return false;
  }
  return true;
}

}  // namespace

bool put_progressive_scans(const CoefficientImage& image, std::size_t size_limit,
                           SegmentWriter& file) {
  if (!put_dc_scan(image, size_limit, file)) return false;
  SegmentWriter unsplit = file;
  const std::vector<Band> coarse_first = {{1, kLastCoarse}, {kLastCoarse + 1, kBlockSize - 1}};
  const bool split_fits = put_ac_scans(image, coarse_first, size_limit, file);
  // In small images a second Huffman code costs more than the split gains.
  const bool unsplit_fits = put_ac_scans(image, {{1, kBlockSize - 1}}, size_limit, unsplit);
  if (unsplit_fits && (!split_fits || unsplit.size() < file.size())) {
    file = std::move(unsplit);
  }
  return split_fits || unsplit_fits;
}

}  // namespace imgpress::press
