// Reads a whole CSV: its text becomes products and faults.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/input/csv/csv_layout.hpp"
#include "core/input/csv/csv_reader.hpp"
#include "core/input/input_faults.hpp"
#include "core/input/product.hpp"

namespace imgpress {

class CsvInput {
 public:
  // Reads the header. The text must outlive this object; its encoding must be a superset of ASCII.
  CsvInput(std::string_view text, WorkMeter& meter, InputFaults& faults);

  // The next product without faults; no value at the end, when `faults` has all faults of the file.
  std::optional<Product> next();

  // The headings as they are written; empty if they cannot be read.
  const std::vector<std::string>& headings() const { return headings_; }

  // The fields of the last product's row, one for each heading, until the next call of next().
  // Empty if the product says all of it: the columns are only serial number, name and URLs in this
  // order.
  CsvFields row_fields() const;

  // The headings of the columns that are not used.
  const std::vector<std::string>& ignored_columns() const { return ignored_; }

 private:
  std::string fault_of_header(std::string_view text, int first_line);
  std::optional<Product> read_row();
  void end();

  WorkMeter& meter_;
  InputFaults& faults_;
  std::optional<CsvReader> reader_;
  std::optional<CsvLayout> layout_;
  CsvRecord record_;
  ProductCells cells_;
  std::vector<std::string> headings_;
  std::vector<std::string> ignored_;
  bool any_row_ = false;
};

}  // namespace imgpress
