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
  std::string key;  // of a keyed product
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

// How the URLs of a keyed product are written.
enum class UrlForm { kList, kJson };  // as in a CSV; see json_urls.hpp

constexpr std::size_t kMaxKeyBytes = 1000;

// A product that its submitter knows by a key of theirs.
struct KeyedCells {
  std::optional<std::string_view> key;
  std::string_view name;  // empty: the key is its name
  std::string_view urls;
  UrlForm form = UrlForm::kList;
};

// As read_product(), for product `number`, which becomes its serial number. A fault names the key:
// "SKU-1: no image URL".
std::optional<Product> read_keyed_product(int number, const KeyedCells& cells, WorkMeter& meter,
                                          InputFaults& faults);

// Adds a fault of a product that may have a key.
void add_fault(int number, std::optional<std::string_view> key, const std::string& message,
               InputFaults& faults);

}  // namespace imgpress
