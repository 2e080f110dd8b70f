// Where the columns of an uploaded CSV are: found by their headings, in any order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/input/csv/csv_headings.hpp"
#include "core/input/csv/csv_reader.hpp"
#include "core/input/input_faults.hpp"
#include "core/input/product.hpp"

namespace imgpress {

constexpr std::size_t kMostColumns = 4096;      // of a header
constexpr std::size_t kMostRowColumns = 65536;  // of a row, whose surplus columns are URLs

class CsvLayout {
 public:
  // Reads the header. Returns nothing after having added what is missing or double to `faults`.
  static std::optional<CsvLayout> from_header(const CsvRecord& header, char delimiter,
                                              WorkMeter& meter, InputFaults& faults);

  // Whether a row is the header again, as where two files were put together.
  bool is_header(const CsvRecord& row) const;

  // Takes the cells of one row. Columns beyond the header are further URLs (an unquoted list) where
  // URLs are the last column; elsewhere they are a fault, and the result is false. `cells` borrows
  // from `row` and from this layout, until the next call.
  bool read_cells(const CsvRecord& row, WorkMeter& meter, ProductCells& cells, InputFaults& faults);

  // The heading of a column as faults name it.
  std::string column_name(std::size_t column) const;

  // The columns that are not used, by their headings or numbers.
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  bool join_surplus(const CsvRecord& row, WorkMeter& meter, ProductCells& cells,
                    InputFaults& faults);
  const char* delimiter_name() const;

  std::size_t serial_ = 0;
  std::size_t name_ = 0;
  std::vector<std::size_t> urls_;  // left to right
  std::size_t width_ = 0;          // columns of the header, trailing empty ones not counted
  char delimiter_ = ',';
  std::vector<std::string> ignored_;
  std::string joined_urls_;
};

}  // namespace imgpress
