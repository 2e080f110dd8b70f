#include "core/input/product.hpp"

#include <algorithm>
#include <array>

#include "core/input/json_urls.hpp"
#include "core/input/serial_number.hpp"
#include "core/input/url_list.hpp"
#include "core/net/url.hpp"
#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"
#include "core/text/text_scan.hpp"
#include "core/text/utf8.hpp"

namespace imgpress {
namespace {

// The value of a cell, without blanks around it. ="007" is a formula that keeps a spreadsheet from
// dropping the zeros; \N is NULL in a database's export.
std::string_view cell_text(std::string_view cell, WorkMeter& meter) {
  const std::string_view text = trim_blanks(cell, meter);
  if (text == "\\N") return {};
  const bool formula = text.size() >= 3 && starts_with(text, "=\"") && text.back() == '"';
  return formula ? trim_blanks(text.substr(2, text.size() - 3), meter) : text;
}

// True for the label of a row of totals at the end of a table.
bool is_total(std::string_view text) {
  constexpr std::array<std::string_view, 4> kWords = {"total", "grand total", "subtotal", "sum"};
  std::string word;
  for (const char c : text.substr(0, 20)) {
    if (c == ':' || c == '=') break;
    word += to_lower(c);
  }
  while (!word.empty() && (word.back() == ' ' || word.back() == 's')) word.pop_back();
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// Returns the fault of a product's URLs, or an empty string.
std::string check_urls(const std::vector<std::string>& urls) {
  const auto is_given = [](const std::string& url) { return !url.empty(); };
  const auto given = std::find_if(urls.begin(), urls.end(), is_given);
  if (given == urls.end()) return "no image URL: give at least one http:// or https:// URL";
  if (std::none_of(given, urls.end(), is_http_url)) {
    return "no http:// or https:// URL in " + quote_shortened(*given) +
           ": write the address in full";
  }
  return {};
}

// Returns the fault of the URLs, or an empty string.
std::string read_urls(const ProductCells& cells, WorkMeter& meter, std::vector<std::string>& urls) {
  for (const std::string_view cell : cells.urls) {
    std::string fault = read_url_list(cell, meter, urls);
    if (!fault.empty()) return fault;
  }
  return check_urls(urls);
}

std::string fault_of_key(std::optional<std::string_view> key) {
  if (!key) return "the key is NULL";
  if (key->empty()) return "the key is empty";
  if (key->size() <= kMaxKeyBytes) return {};
  return "the key is longer than " + std::to_string(kMaxKeyBytes) + " bytes";
}

}  // namespace

std::optional<Product> read_product(int line, const ProductCells& cells, WorkMeter& meter,
                                    InputFaults& faults) {
  const std::size_t faults_before = faults.count();
  Product product;
  const std::string_view serial_text = cell_text(cells.serial_number, meter);
  const std::string_view name = cell_text(cells.name, meter);
  const SerialNumber serial = read_serial_number(serial_text, meter);
  std::string url_fault = read_urls(cells, meter, product.urls);
  if (!serial.fault.empty() && product.urls.empty() && (is_total(serial_text) || is_total(name))) {
    faults.add({line, kSerialColumn, "this looks like a row of totals, not a product: remove it"});
    return std::nullopt;
  }
  if (!serial.fault.empty()) faults.add({line, kSerialColumn, serial.fault});
  if (name.empty()) faults.add({line, kNameColumn, "empty: every product needs a name"});
  if (!url_fault.empty()) faults.add({line, kUrlsColumn, std::move(url_fault)});
  if (faults.count() > faults_before) return std::nullopt;
  product.serial_number = serial.value;
  append_metered(product.name, name, meter);
  return product;
}

void add_fault(int number, std::optional<std::string_view> key, const std::string& message,
               InputFaults& faults) {
  constexpr std::size_t kMaxBytesShown = 60;
  std::string product = "product " + std::to_string(number);
  if (key && !key->empty()) product = cut_at_character(*key, kMaxBytesShown);
  faults.add({0, "", product + ": " + message});
}

std::optional<Product> read_keyed_product(int number, const KeyedCells& cells, WorkMeter& meter,
                                          InputFaults& faults) {
  Product product;
  std::string fault = fault_of_key(cells.key);
  if (fault.empty()) {
    fault = cells.form == UrlForm::kJson ? read_json_urls(cells.urls, meter, product.urls)
                                         : read_url_list(cells.urls, meter, product.urls);
  }
  if (fault.empty()) fault = check_urls(product.urls);
  if (!fault.empty()) return add_fault(number, cells.key, fault, faults), std::nullopt;
  product.serial_number = number;
  product.key = *cells.key;
  append_metered(product.name, cells.name.empty() ? *cells.key : cells.name, meter);
  return product;
}

}  // namespace imgpress
