// Validates one product of a request, however it was submitted (CSV, array, view).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/input/input_faults.hpp"
#include "core/text/work_meter.hpp"

namespace imgpress {

struct Product {
  std::int64_t serial_number = 0;
  std::string name;
  std::vector<std::string> urls;  // in order, at least one of them http(s); empty: none is given
};

constexpr const char* kSerialColumn = "Serial Number";
constexpr const char* kNameColumn = "Product Name";
constexpr const char* kUrlsColumn = "Input Image Urls";

// The cells of a product as text.
struct ProductCells {
  std::string_view serial_number;
  std::string_view name;
  std::vector<std::string_view> urls;  // lists of URLs, left to right
};

// Returns the product; no value if its cells have faults, which are all added to `faults`.
std::optional<Product> read_product(int line, const ProductCells& cells, WorkMeter& meter,
                                    InputFaults& faults);

}  // namespace imgpress
