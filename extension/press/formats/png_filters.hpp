// PNG files store each byte as the difference from a prediction: a filter's, of which each row has
// one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgpress::press {

// Rows of pixels, each a byte that names the filter, and then `width` pixels of `pixel_bytes` (1 to
// 4) bytes.
struct FilteredRows {
  const std::uint8_t* data = nullptr;
  std::size_t width = 0;
  std::size_t height = 0;
  std::size_t pixel_bytes = 0;

  std::size_t row_bytes() const { return width * pixel_bytes; }  // of pixels
  std::size_t size() const { return (row_bytes() + 1) * height; }
};

// So many rows are worked on at the same time.
constexpr std::size_t kFilterRows = 8;

// Writes the pixels, row after row without the filters' bytes, to `out`, which may begin
// kFilterRows rows of pixels or more before `rows.data` in the same memory. Returns false when a
// filter is unknown.
bool undo_png_filters(const FilteredRows& rows, std::uint8_t* out);

}  // namespace imgpress::press
