#include "press/jpeg/write/coefficient_writer.hpp"

#include <array>

#include "press/jpeg/write/bit_packer.hpp"
#include "press/jpeg/write/progressive_scans.hpp"
#include "press/jpeg/write/mcu_order.hpp"
#include "press/jpeg/write/symbol_stream.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

// Fast effort counts the symbols of one row of units in so many, unless there are only few.
constexpr std::uint32_t kRowsForFast = 8;
constexpr std::uint32_t kMinSampledRows = 16;

std::size_t table_of(CodeClass kind, std::uint8_t slot) {
  return static_cast<std::size_t>(kind) * kCodeSlots + slot;
}

// The symbols of row `y` of units.
template <bool kCounted>
IMGPRESS_INLINE void put_row(const CodedPicture& picture, std::uint32_t y, Steps& steps,
                             SymbolStream& stream) {
  PackedSymbol* next = stream.open(blocks_in_row(picture) * kMaxBlockSymbols);
  visit_row(picture, y, [&](std::size_t i, const Block* block) {
    const std::uint8_t slot = code_slot(picture[i]);
    const std::size_t first = table_of(CodeClass::kFirst, slot);
    const std::size_t others = table_of(CodeClass::kOthers, slot);
    SymbolSink<kCounted> firsts{next, stream.counts(first), first};
    SymbolSink<kCounted> rest{next, stream.counts(others), others};
    put_number(steps.take(i, block), 0, firsts);
    if (block != nullptr) {
      put_block(*block, rest);
    } else {
      rest.put(kEndOfBlock);
    }
  });
  stream.close(next);
}

IMGPRESS_WIDE_REGISTERS
void put_counted(const CodedPicture& picture, std::uint32_t y, Steps& steps, SymbolStream& stream) {
  put_row<true>(picture, y, steps, stream);
}

IMGPRESS_WIDE_REGISTERS
void put_uncounted(const CodedPicture& picture, std::uint32_t y, Steps& steps,
                   SymbolStream& stream) {
  put_row<false>(picture, y, steps, stream);
}

// Puts the codes that suit the counts.
HuffmanEncoder choose_codes(bool sampled, SymbolStream& stream, JpegSegments& file) {
  HuffmanEncoder codes;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    if (stream.counts(table_of(CodeClass::kFirst, slot)) == SymbolCounts{}) continue;
    for (const CodeClass kind : {CodeClass::kFirst, CodeClass::kOthers}) {
      const std::size_t table = table_of(kind, slot);
      SymbolCounts& counts = stream.counts(table);
      if (sampled && kind == CodeClass::kFirst) admit_all_first_symbols(counts);
      if (sampled && kind == CodeClass::kOthers) admit_all_other_symbols(counts);
      const HuffmanCode code = best_huffman_code(counts);
      file.put_code(kind, slot, code);
      codes.use(table, code);
    }
  }
  return codes;
}

bool put_baseline_scan(const CodedPicture& picture, Effort effort, std::size_t room,
                       JpegSegments& file) {
  const std::uint32_t rows = units_of(picture[0].height, picture[0].down);
  const bool sampled = effort == Effort::kFast && rows >= kMinSampledRows;
  SymbolStream stream;
  Steps steps;
  for (std::uint32_t y = 0; y < rows; ++y) {
    const auto put = sampled && y % kRowsForFast != 0 ? put_uncounted : put_counted;
    put(picture, y, steps, stream);
  }
  const HuffmanEncoder codes = choose_codes(sampled, stream, file);
  std::vector<ScanComponent> components;
  for (std::size_t i = 0; i < picture.size(); ++i) {
    components.push_back({i, code_slot(picture[i]), code_slot(picture[i])});
  }
  file.put_scan(picture, components, {});
  return pack_symbols(stream, codes, room, file);
}

}  // namespace

std::optional<std::vector<std::uint8_t>> write_jpeg(const CodedPicture& picture,
                                                    const FrameHeader& header,
                                                    const ImageMetadata& metadata, Effort effort,
                                                    std::size_t room) {
  const bool progressive = effort == Effort::kSmall;
  JpegSegments file(room);
  file.put_start(header, metadata);
  file.put_quant_tables(picture);
  file.put_frame(header, picture, progressive);
  const bool fits = progressive ? put_progressive_scans(picture, room, file)
                                : put_baseline_scan(picture, effort, room, file);
  if (!fits) return std::nullopt;
  file.put_marker(JpegMarker::kEndOfImage);
  if (file.size() >= room) return std::nullopt;
  return file.take();
}

}  // namespace imgpress::press
