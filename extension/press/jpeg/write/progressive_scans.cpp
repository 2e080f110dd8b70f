#include "press/jpeg/write/progressive_scans.hpp"

#include <utility>
#include <vector>

#include "press/jpeg/write/bit_packer.hpp"
#include "press/jpeg/write/mcu_order.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {
namespace {

// Where luma's coefficients are split: the coarse shapes come first.
constexpr std::uint8_t kLastOfShapes = 9;

// So many blocks one symbol ends at the most. The standard knows up to 0x7FFF (ITU-T T.81,
// G.1.2.2), whose numbers would not fit behind their codes in an encoder's entry.
constexpr unsigned kMaxEnded = (2U << kMaxNumberBits) - 1;

// `blocks` blocks without another level in the band.
template <typename Sink>
void put_ends(unsigned blocks, Sink& sink) {
  if (blocks == 0) return;
  const unsigned size = magnitude_bits(static_cast<int>(blocks)) - 1;
  sink.put((blocks - (1U << size)) << 16 | size << 4);
}

void put_firsts(const CodedPicture& picture, SymbolStream& stream) {
  const std::uint32_t rows = units_of(picture[0].height, picture[0].down);
  Steps steps;
  for (std::uint32_t y = 0; y < rows; ++y) {
    PackedSymbol* next = stream.open(blocks_in_row(picture));
    visit_row(picture, y, [&](std::size_t i, const Block* block) {
      const std::size_t table = code_slot(picture[i]);
      SymbolSink<true> sink{next, stream.counts(table), table};
      put_number(steps.take(i, block), 0, sink);
    });
    stream.close(next);
  }
}

// `longest`: so many blocks at most end by one symbol.
IMGPRESS_WIDE_REGISTERS
void put_band(const Plane& plane, Band band, unsigned longest, SymbolStream& stream) {
  const std::uint64_t within = bits_between(band.first, band.last);
  unsigned ended = 0;  // blocks whose end has not been put yet
  for (std::uint32_t y = 0; y < plane.height; ++y) {
    PackedSymbol* next = stream.open(std::size_t{plane.width} * kMaxBlockSymbols);
    SymbolSink<true> sink{next, stream.counts(0), 0};
    for (const Block *block = plane.row(y), *end = block + plane.width; block < end; ++block) {
      const std::uint64_t nonzero = nonzero_in(*block) & within;
      if (nonzero != 0) {
        put_ends(ended, sink);
        ended = 0;
      }
      if (put_levels(*block, nonzero, band.first - 1U, sink) == band.last) continue;
      if (++ended < longest) continue;
      put_ends(ended, sink);
      ended = 0;
    }
    if (y + 1 == plane.height) put_ends(ended, sink);
    stream.close(next);
  }
}

bool put_first_scan(const CodedPicture& picture, std::size_t room, JpegSegments& file) {
  SymbolStream stream;
  put_firsts(picture, stream);
  HuffmanEncoder codes;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    if (stream.counts(slot) == SymbolCounts{}) continue;
    const HuffmanCode code = best_huffman_code(stream.counts(slot));
    file.put_code(CodeClass::kFirst, slot, code);
    codes.use(slot, code);
  }
  std::vector<ScanComponent> components;
  for (std::size_t i = 0; i < picture.size(); ++i) {
    components.push_back({i, code_slot(picture[i]), 0});
  }
  file.put_scan(picture, components, {0, 0});
  return pack_symbols(stream, codes, room, file);
}

// A band of some planes as symbols, with one code for all.
struct CodedBand {
  std::vector<SymbolStream> streams;
  HuffmanCode code;
  std::uint64_t bits = 0;  // of all data
};

CodedBand code_band(const CodedPicture& picture, const std::vector<std::size_t>& planes, Band band,
                    unsigned longest) {
  CodedBand coded;
  coded.streams.resize(planes.size());
  SymbolCounts counts{};
  for (std::size_t i = 0; i < planes.size(); ++i) {
    put_band(picture[planes[i]], band, longest, coded.streams[i]);
    for (std::size_t k = 0; k < counts.size(); ++k) counts[k] += coded.streams[i].counts(0)[k];
  }
  coded.code = best_huffman_code(counts);
  visit_codes(coded.code, [&](unsigned symbol, unsigned length) {
    coded.bits += std::uint64_t{counts[symbol]} * (length + number_bits(symbol));
  });
  return coded;
}

// One scan for each plane.
bool put_band_scans(const CodedPicture& picture, const std::vector<std::size_t>& planes, Band band,
                    std::size_t room, JpegSegments& file) {
  if (planes.empty()) return true;
  CodedBand coded = code_band(picture, planes, band, kMaxEnded);
  // Where most blocks hold something, the many symbols for runs of ends are worse than one.
  CodedBand singly = code_band(picture, planes, band, 1);
  if (singly.bits < coded.bits) coded = std::move(singly);
  file.put_code(CodeClass::kOthers, 0, coded.code);
  HuffmanEncoder codes;
  codes.use(0, coded.code);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    file.put_scan(picture, {{planes[i], 0, 0}}, band);
    if (!pack_symbols(coded.streams[i], codes, room, file)) return false;
  }
  return true;
}

// The first plane (luma, where there is one) in as many scans as there are bands, the others in one
// each, behind the first of those.
bool put_other_scans(const CodedPicture& picture, const std::vector<Band>& bands, std::size_t room,
                     JpegSegments& file) {
  if (!put_band_scans(picture, {0}, bands[0], room, file)) return false;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    std::vector<std::size_t> planes;
    for (std::size_t i = 1; i < picture.size(); ++i) {
      if (code_slot(picture[i]) == slot) planes.push_back(i);
    }
    if (!put_band_scans(picture, planes, {1, kBlockSize - 1}, room, file)) return false;
  }
  for (std::size_t i = 1; i < bands.size(); ++i) {
    if (!put_band_scans(picture, {0}, bands[i], room, file)) return false;
  }
  return true;
}

}  // namespace

bool put_progressive_scans(const CodedPicture& picture, std::size_t room, JpegSegments& file) {
  if (!put_first_scan(picture, room, file)) return false;
  JpegSegments undivided = file;
  const std::vector<Band> shapes_first = {{1, kLastOfShapes}, {kLastOfShapes + 1, kBlockSize - 1}};
  const bool divided_fits = put_other_scans(picture, shapes_first, room, file);
  // In small pictures another code takes more than it gains.
  const bool undivided_fits = put_other_scans(picture, {{1, kBlockSize - 1}}, room, undivided);
  if (undivided_fits && (!divided_fits || undivided.size() < file.size())) {
    file = std::move(undivided);
  }
  return divided_fits || undivided_fits;
}

}  // namespace imgpress::press
