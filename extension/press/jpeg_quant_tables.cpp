#include "press/jpeg_quant_tables.hpp"

#include <algorithm>

namespace imgpress::press {
namespace {

QuantTable value_of(const JQUANT_TBL& table) {
  QuantTable steps;
  std::copy(std::begin(table.quantval), std::end(table.quantval), steps.begin());
  return steps;
}

}  // namespace

ComponentTables source_tables(const JpegInput& input) {
  ComponentTables tables{};
  const jpeg_decompress_struct& state = input.state();
  for (int i = 0; i < state.num_components; ++i) {
    const JQUANT_TBL* table = state.comp_info[i].quant_table;
    if (table != nullptr) tables[static_cast<std::size_t>(i)] = value_of(*table);
  }
  return tables;
}

ComponentTables quality_tables(JpegGuard& guard, JpegOutput& output, int quality) {
  jpeg_compress_struct& state = output.state();
  guard.run([&state, quality] { jpeg_set_quality(&state, quality, TRUE); });
  ComponentTables tables{};
  for (int i = 0; i < state.num_components; ++i) {
    const JQUANT_TBL* table = state.quant_tbl_ptrs[state.comp_info[i].quant_tbl_no];
    tables[static_cast<std::size_t>(i)] = value_of(*table);
  }
  return tables;
}

void use_tables(JpegGuard& guard, JpegOutput& output, const ComponentTables& tables) {
  jpeg_compress_struct& state = output.state();
  for (int i = 0; i < state.num_components; ++i) {
    const QuantTable& table = tables[static_cast<std::size_t>(i)];
    const auto same = std::find(tables.begin(), tables.end(), table);
    const int slot = static_cast<int>(same - tables.begin());
    JQUANT_TBL*& place = state.quant_tbl_ptrs[slot];
    if (place == nullptr) {
      guard.run([&state, &place] {
        place = jpeg_alloc_quant_table(reinterpret_cast<j_common_ptr>(&state));
      });
    }
    std::copy(table.begin(), table.end(), place->quantval);
    place->sent_table = FALSE;
    state.comp_info[i].quant_tbl_no = slot;
  }
}

}  // namespace imgpress::press
