#include "press/jpeg_huffman.hpp"

#include <algorithm>

#include "press/block_symbols.hpp"
#include "press/huffman_code.hpp"

namespace imgpress::press {
namespace {

// A picture of fewer rows of units is counted whole.
constexpr JDIMENSION kMinSampledRows = 16;

struct TableCounts {
  SymbolCounts dc{};
  SymbolCounts ac{};
};

// How the blocks of a component are laid out in the units (MCUs) of a scan.
struct Layout {
  JDIMENSION across = 1;  // blocks in a unit
  JDIMENSION down = 1;
  JDIMENSION units_across = 0;
  JDIMENSION units_down = 0;
};

JDIMENSION divide_up(JDIMENSION a, JDIMENSION b) {
  return (a + b - 1) / b;
}

// A component that is alone in its scan has units of one block each and no padding.
Layout layout_of(const jpeg_compress_struct& out, int component, const JpegBlockRows& rows) {
  Layout layout;
  if (out.num_components > 1) {
    layout.across = static_cast<JDIMENSION>(out.comp_info[component].h_samp_factor);
    layout.down = static_cast<JDIMENSION>(out.comp_info[component].v_samp_factor);
  }
  layout.units_across = divide_up(rows.width(), layout.across);
  layout.units_down = divide_up(rows.height(), layout.down);
  return layout;
}

// The first coefficients of one row of units in coding order. `previous` goes from row to row.
void count_steps(const JpegBlockRows& rows, const Layout& layout, JDIMENSION unit_row,
                 int& previous, SymbolCounts& dc) {
  const std::int16_t* blocks[MAX_SAMP_FACTOR] = {};
  const JDIMENSION top = unit_row * layout.down;
  const JDIMENSION count = std::min(layout.down, rows.height() - top);
  for (JDIMENSION y = 0; y < count; ++y) blocks[y] = rows.row(top + y);
  for (JDIMENSION left = 0; left < rows.width(); left += layout.across) {
    const JDIMENSION right = std::min(rows.width(), left + layout.across);
    for (JDIMENSION y = 0; y < count; ++y) {
      for (JDIMENSION x = left; x < right; ++x) {
        const int value = blocks[y][std::size_t{x} * DCTSIZE2];
        count_dc_symbol(value - previous, dc);
        previous = value;
      }
    }
  }
}

// The symbols of every `every`th row of units.
void count_component(const JpegBlockRows& rows, const Layout& layout, JDIMENSION every,
                     TableCounts& counts) {
  int previous = 0;
  for (JDIMENSION unit_row = 0; unit_row < layout.units_down; unit_row += every) {
    const JDIMENSION top = unit_row * layout.down;
    const JDIMENSION bottom = std::min(rows.height(), top + layout.down);
    for (JDIMENSION y = top; y < bottom; ++y) {
      count_ac_symbols(rows.row(y), rows.width(), counts.ac);
    }
    count_steps(rows, layout, unit_row, previous, counts.dc);
  }
  const JDIMENSION coded = layout.units_across * layout.across * layout.units_down * layout.down;
  count_padding_blocks(coded - rows.width() * rows.height(), counts.dc, counts.ac);
}

void store(const HuffmanCode& code, JHUFF_TBL& table) {
  std::copy(code.lengths.begin(), code.lengths.end(), table.bits);
  std::copy(code.symbols.begin(), code.symbols.end(), table.huffval);
  table.sent_table = FALSE;
}

}  // namespace

void use_codes(JpegGuard& guard, JpegOutput& output, const std::vector<JpegBlockRows>& components,
               JDIMENSION every) {
  jpeg_compress_struct& out = output.state();
  const Layout luma = layout_of(out, 0, components[0]);
  const bool sample = every > 1 && luma.units_down >= kMinSampledRows;
  TableCounts counts[2];  // libjpeg's defaults: one table for luma, one for chroma
  guard.run([&] {
    for (int i = 0; i < out.num_components; ++i) {
      const JpegBlockRows& rows = components[static_cast<std::size_t>(i)];
      count_component(rows, layout_of(out, i, rows), sample ? every : 1,
                      counts[out.comp_info[i].ac_tbl_no]);
    }
  });
  for (int slot = 0; slot < 2; ++slot) {
    if (counts[slot].dc == SymbolCounts{}) continue;
    if (sample) {
      admit_all_dc_symbols(counts[slot].dc);
      admit_all_ac_symbols(counts[slot].ac);
    }
    store(best_huffman_code(counts[slot].dc), *out.dc_huff_tbl_ptrs[slot]);
    store(best_huffman_code(counts[slot].ac), *out.ac_huff_tbl_ptrs[slot]);
  }
  out.optimize_coding = FALSE;
}

}  // namespace imgpress::press
