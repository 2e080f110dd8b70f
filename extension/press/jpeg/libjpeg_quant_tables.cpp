#include "press/jpeg/libjpeg_quant_tables.hpp"

#include <algorithm>

namespace imgpress::press {
namespace {

QuantTable value_of(const JQUANT_TBL& table) {
  QuantTable steps;
  for (std::size_t i = 0; i < kBlockSize; ++i) steps[i] = table.quantval[kZigzag[i]];
  return steps;
}

// The table of a component; nullptr if the file does not define it.
const JQUANT_TBL* table_of(const jpeg_decompress_struct& state, const jpeg_component_info& info) {
  if (info.quant_table != nullptr) return info.quant_table;
  const int slot = info.quant_tbl_no;  // unchecked: from the file
  return slot >= 0 && slot < NUM_QUANT_TBLS ? state.quant_tbl_ptrs[slot] : nullptr;
}

// That of libjpeg, which has the standard tables.
struct Compressor {
  jpeg_compress_struct state{};

  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ~Compressor() { jpeg_destroy_compress(&state); }
};

}  // namespace

bool has_all_tables(const LibjpegDecoder& decoder) {
  const jpeg_decompress_struct& state = decoder.state();
  return std::all_of(
      state.comp_info, state.comp_info + state.num_components,
      [&state](const jpeg_component_info& info) { return table_of(state, info) != nullptr; });
}

ComponentTables source_tables(const LibjpegDecoder& decoder) {
  ComponentTables tables{};
  const jpeg_decompress_struct& state = decoder.state();
  for (int i = 0; i < state.num_components; ++i) {
    const JQUANT_TBL* table = table_of(state, state.comp_info[i]);
    if (table != nullptr) tables[static_cast<std::size_t>(i)] = value_of(*table);
  }
  return tables;
}

QualityTables standard_tables(LibjpegGuard& guard, int quality) {
  Compressor compressor;
  jpeg_compress_struct& state = compressor.state;
  state.err = guard.errors();
  guard.run([&state, quality] {
    jpeg_create_compress(&state);
    jpeg_set_quality(&state, quality, TRUE);
  });
  return {value_of(*state.quant_tbl_ptrs[0]), value_of(*state.quant_tbl_ptrs[1])};
}

QualityTables quality_tables(const QualityTables& standard, const CodecOptions& options,
                             SourceDetail detail) {
  return options.effort == Effort::kSmall ? visual_tables(options.quality, detail) : standard;
}

}  // namespace imgpress::press
