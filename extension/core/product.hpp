// The rules for one product of a request, whichever way it was submitted (CSV, array, view).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imgpress {

struct Product {
  std::int64_t serial_number = 0;
  std::string name;
  std::vector<std::string> urls;  // in order, at least one of them http(s)
};

// One thing wrong with the input, as the user sees it.
struct InputFault {
  int line = 0;        // 1-based line of the CSV, or 1-based element of an array
  std::string column;  // heading in its usual spelling; empty when the whole line is meant
  std::string message;
};

constexpr const char* kSerialColumn = "Serial Number";
constexpr const char* kNameColumn = "Product Name";
constexpr const char* kUrlsColumn = "Input Image Urls";

// The three cells of a product as text.
struct ProductCells {
  std::string_view serial_number;
  std::string_view name;
  std::string_view urls;
};

// Returns the product, or nothing after having appended every fault of these cells to `faults`.
std::optional<Product> read_product(int line, const ProductCells& cells,
                                    std::vector<InputFault>& faults);

// Likewise for URLs that need not be split any more; cells.urls is not looked at.
std::optional<Product> read_product(int line, const ProductCells& cells,
                                    const std::vector<std::string_view>& urls,
                                    std::vector<InputFault>& faults);

}  // namespace imgpress
