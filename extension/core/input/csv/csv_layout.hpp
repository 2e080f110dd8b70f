// Finds the columns of a CSV by their headings, and takes the cells of a product out of a row.
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

constexpr std::size_t kMaxColumns = 4096;      // in the header
constexpr std::size_t kMaxRowColumns = 65536;  // in a row: its surplus columns are URLs
constexpr const char* kUsualHeader = "S. No.,Product Name,Input Image Urls";

class CsvLayout {
 public:
  // Reads the header. No value if columns are missing or named twice; `faults` then has the
  // reasons.
  static std::optional<CsvLayout> from_header(const CsvRecord& header, char delimiter,
                                              WorkMeter& meter, InputFaults& faults);

  // True if a row repeats the header, as in files that were concatenated.
  bool is_header(const CsvRecord& row) const;

  // Takes the cells of one row; false after a fault. Surplus columns are further URLs (an unquoted
  // list) if the URLs are the last column of the header, else a fault. `cells` points into `row`
  // and into this layout, until the next call.
  bool read_cells(const CsvRecord& row, WorkMeter& meter, ProductCells& cells, InputFaults& faults);

  // The name of a column for messages.
  std::string column_name(std::size_t column) const;

  // The headings as they are written.
  const std::vector<std::string>& headings() const { return headings_; }

  // True if there are only serial number, name and URLs, in this order: a product says all of a
  // row.
  bool is_usual() const;

  // The fields of a row, one for each heading; `cells` is what read_cells() took out of it.
  CsvFields fields_of(const CsvRecord& row, const ProductCells& cells) const;

  // The headings (or numbers) of the columns that are not used.
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  bool join_surplus(const CsvRecord& row, WorkMeter& meter, ProductCells& cells,
                    InputFaults& faults);
  const char* delimiter_name() const;

  std::size_t serial_ = 0;
  std::size_t name_ = 0;
  std::vector<std::size_t> urls_;  // left to right
  std::size_t width_ = 0;          // columns of the header without the empty ones at its end
  char delimiter_ = ',';
  std::vector<std::string> headings_;
  std::vector<std::string> ignored_;
  std::string joined_urls_;
};

}  // namespace imgpress
