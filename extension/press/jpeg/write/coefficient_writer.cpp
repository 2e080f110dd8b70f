#include "press/jpeg/write/coefficient_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "press/jpeg/write/bit_packer.hpp"
#include "press/jpeg/write/progressive_scans.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

// Effort "fast" counts the symbols of every eighth row of MCUs only, if there are at least sixteen.
constexpr std::uint32_t kSampledRowStride = 8;
constexpr std::uint32_t kMinRowsToSample = 16;

std::size_t table_of(CodeClass kind, std::uint8_t slot) {
  return static_cast<std::size_t>(kind) * kCodeSlots + slot;
}

// Writes the symbols of a row of MCUs; returns their end.
IMGPRESS_CPU_TARGETS
PackedSymbol* write_mcu_row(const CoefficientImage& part, DcPredictor& dc, PackedSymbol* next) {
  PackedSymbol tables[kMaxPlanes][2];
  for (std::size_t i = 0; i < part.size(); ++i) {
    for (const CodeClass kind : {CodeClass::kDc, CodeClass::kAc}) {
      const std::size_t table = table_of(kind, code_slot(part[i]));
      tables[i][static_cast<std::size_t>(kind)] = static_cast<PackedSymbol>(table) << 8;
    }
  }
  visit_mcu_row(part, [&](std::size_t i, const Block* block) IMGPRESS_INLINE_LAMBDA {
    const auto [dc_table, ac_table] = tables[i];
    *next++ = packed_value(dc.difference(i, block)) | dc_table;
    if (block != nullptr) {
      next = write_block(*block, ac_table, next);
    } else {
      *next++ = kEndOfBlock | ac_table;
    }
  });
  return next;
}

// Appends the symbols of a row of MCUs.
void put_mcu_row(const CoefficientImage& part, DcPredictor& dc, SymbolStream& stream) {
  PackedSymbol* const begin = stream.open(blocks_in_mcu_row(part) * kMaxBlockSymbols);
  stream.close(write_mcu_row(part, dc, begin));
}

std::optional<std::vector<std::uint8_t>> finished(SegmentWriter file, std::size_t size_limit) {
  file.put_marker(JpegMarker::kEndOfImage);
  if (file.size() >= size_limit) return std::nullopt;
  return file.take();
}

// Chooses the codes after the counts, and writes them to the file.
HuffmanEncoder put_codes(bool sampled, SymbolStream& stream, SegmentWriter& file) {
  HuffmanEncoder codes;
  for (std::uint8_t slot = 0; slot < kCodeSlots; ++slot) {
    if (stream.counts(table_of(CodeClass::kDc, slot)) == SymbolCounts{}) continue;
    for (const CodeClass kind : {CodeClass::kDc, CodeClass::kAc}) {
      const std::size_t table = table_of(kind, slot);
      SymbolCounts counts = stream.counts(table);
      if (sampled && kind == CodeClass::kDc) smooth_dc_counts(counts);
      if (sampled && kind == CodeClass::kAc) smooth_ac_counts(counts);
      const HuffmanCode code = optimal_huffman_code(counts);
      file.put_code(kind, slot, code);
      codes.set_table(table, code);
    }
  }
  return codes;
}

std::uint32_t mcu_rows(const CoefficientImage& image) {
  return mcus_for(image[0].height, image[0].v_factor);
}

// Calls visit(part) for each row of MCUs.
template <typename Visit>
void visit_parts(const CoefficientImage& image, const ImageRows& rows, Visit visit) {
  CoefficientImage part;
  for (const Plane& plane : image) part.push_back(plane_like(plane, plane.v_factor));
  for (std::uint32_t y = 0; y < mcu_rows(image); ++y) {
    for (std::size_t i = 0; i < image.size(); ++i) {
      const std::uint32_t top = std::min(y * image[i].v_factor, image[i].height);
      part[i].height = std::min(image[i].v_factor, image[i].height - top);
      for (std::uint32_t dy = 0; dy < part[i].height; ++dy) {
        rows[i]->read(top + dy, part[i].row(dy));
      }
    }
    visit(part);
  }
}

}  // namespace

BaselineWriter::BaselineWriter(std::uint32_t rows, Effort effort)
    : sampled_(effort == Effort::kFast && rows >= kMinRowsToSample) {}

void BaselineWriter::add(const CoefficientImage& part) {
  put_mcu_row(part, dc_, stream_);
  if (!sampled_ || next_row_ % kSampledRowStride == 0) stream_.count();
  ++next_row_;
}

std::optional<std::vector<std::uint8_t>> BaselineWriter::finish(const CoefficientImage& image,
                                                                const FrameHeader& header,
                                                                const ImageMetadata& metadata,
                                                                std::size_t size_limit) {
  SegmentWriter file(size_limit);
  file.put_start(header, metadata);
  file.put_quant_tables(image);
  file.put_frame(header, image, false);
  const HuffmanEncoder codes = put_codes(sampled_, stream_, file);
  std::vector<ScanComponent> components;
  for (std::size_t i = 0; i < image.size(); ++i) {
    components.push_back({i, code_slot(image[i]), code_slot(image[i])});
  }
  file.put_scan(image, components, {});
  if (!pack_symbols(stream_, codes, size_limit, file)) return std::nullopt;
  return finished(std::move(file), size_limit);
}

std::optional<std::vector<std::uint8_t>> write_coefficients(const CoefficientImage& image,
                                                            const ImageRows& rows,
                                                            const FrameHeader& header,
                                                            const ImageMetadata& metadata,
                                                            Effort effort, std::size_t size_limit) {
  if (effort != Effort::kSmall) {
    BaselineWriter writer(mcu_rows(image), effort);
    visit_parts(image, rows, [&writer](const CoefficientImage& part) { writer.add(part); });
    return writer.finish(image, header, metadata, size_limit);
  }
  ProgressiveScans scans(image.size());
  visit_parts(image, rows, [&scans](const CoefficientImage& part) { scans.add(part); });
  SegmentWriter file(size_limit);
  file.put_start(header, metadata);
  file.put_quant_tables(image);
  file.put_frame(header, image, true);
  if (!scans.put(image, size_limit, file)) return std::nullopt;
  return finished(std::move(file), size_limit);
}

}  // namespace imgpress::press
