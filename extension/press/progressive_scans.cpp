#include "press/progressive_scans.hpp"

#include <vector>

#include "press/bit_packer.hpp"
#include "press/scan_order.hpp"
#include "press/symbol_stream.hpp"

namespace imgpress::press {
namespace {

// Where luma's coefficients are split: the coarse shapes come first.
constexpr std::uint8_t kLastOfShapes = 9;

// The most blocks that one symbol can end (ITU-T T.81, G.1.2.2).
constexpr unsigned kMaxEnded = 0x7FFF;

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

IMGPRESS_WIDE_REGISTERS
void put_band(const Plane& plane, Band band, SymbolStream& stream) {
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
      if (++ended < kMaxEnded) continue;
      put_ends(ended, sink);
      ended = 0;
    }
    if (y + 1 == plane.height) put_ends(ended, sink);
    stream.close(next);
  }
}

// Puts the codes of the tables that were used, the header of the scan and its data.
bool put_scan(const CodedPicture& picture, CodeClass kind,
              const std::vector<ScanComponent>& components, Band band, SymbolStream& stream,
              std::size_t room, JpegSegments& file) {
  HuffmanEncoder codes;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    if (stream.counts(slot) == SymbolCounts{}) continue;
    const HuffmanCode code = best_huffman_code(stream.counts(slot));
    file.put_code(kind, slot, code);
    codes.use(slot, code);
  }
  file.put_scan(picture, components, band);
  return pack_symbols(stream, codes, room, file);
}

bool put_first_scan(const CodedPicture& picture, std::size_t room, JpegSegments& file) {
  SymbolStream stream;
  put_firsts(picture, stream);
  std::vector<ScanComponent> components;
  for (std::size_t i = 0; i < picture.size(); ++i) {
    components.push_back({i, code_slot(picture[i]), 0});
  }
  return put_scan(picture, CodeClass::kFirst, components, {0, 0}, stream, room, file);
}

bool put_band_scan(const CodedPicture& picture, std::size_t plane, Band band, std::size_t room,
                   JpegSegments& file) {
  SymbolStream stream;
  put_band(picture[plane], band, stream);
  return put_scan(picture, CodeClass::kOthers, {{plane, 0, 0}}, band, stream, room, file);
}

}  // namespace

bool put_progressive_scans(const CodedPicture& picture, std::size_t room, JpegSegments& file) {
  if (!put_first_scan(picture, room, file)) return false;
  if (!put_band_scan(picture, 0, {1, kLastOfShapes}, room, file)) return false;
  for (std::size_t i = 1; i < picture.size(); ++i) {
    if (!put_band_scan(picture, i, {1, kBlockSize - 1}, room, file)) return false;
  }
  return put_band_scan(picture, 0, {kLastOfShapes + 1, kBlockSize - 1}, room, file);
}

}  // namespace imgpress::press
