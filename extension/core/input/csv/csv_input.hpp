// A whole CSV, from its text to its products and faults.
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
  // Reads up to the header. The text must stay, and is UTF-8 or in another encoding that holds
  // ASCII.
  CsvInput(std::string_view text, WorkMeter& meter, InputFaults& faults);

  // The next product that is free of faults; nothing at the end, when every fault has been noted.
  std::optional<Product> next();

  // The columns that are not used, by their headings.
  const std::vector<std::string>& ignored_columns() const { return ignored_; }

 private:
  std::string fault_of_header(std::string_view text, int first_line);
  std::optional<Product> read_row();
  void note_end();

  WorkMeter& meter_;
  InputFaults& faults_;
  std::optional<CsvReader> reader_;
  std::optional<CsvLayout> layout_;
  CsvRecord record_;
  ProductCells cells_;
  std::vector<std::string> ignored_;
  bool any_row_ = false;
};

}  // namespace imgpress
