// Where the columns of an uploaded CSV are: found by their headings, in any order.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/product.hpp"

namespace imgpress {

using CsvFields = std::vector<std::string_view>;

// The delimiter (comma, semicolon or tab) that makes most of the header line's columns known.
char detect_delimiter(std::string_view header_line);

class CsvLayout {
 public:
  // Reads the header. Returns nothing after having appended what is missing or double to `faults`.
  static std::optional<CsvLayout> from_header(int line, const CsvFields& header, char delimiter,
                                              std::vector<InputFault>& faults);

  // The cells of one row. Columns beyond the header are further URLs (an unquoted list) where the
  // URLs are the last column; elsewhere they are a fault. The result borrows from `row` and
  // `joined_urls`.
  std::optional<ProductCells> cells_of(int line, const CsvFields& row, std::string& joined_urls,
                                       std::vector<InputFault>& faults) const;

 private:
  const char* delimiter_name() const;

  std::size_t serial_ = 0;
  std::size_t name_ = 0;
  std::size_t urls_ = 0;
  std::size_t width_ = 0;  // columns of the header, trailing empty ones not counted
  char delimiter_ = ',';
};

}  // namespace imgpress
