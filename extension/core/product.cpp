#include "core/product.hpp"

#include <algorithm>
#include <charconv>

#include "core/plain_text.hpp"
#include "core/url.hpp"

namespace imgpress {
namespace {

constexpr std::string_view kNoBreakSpace = "\xC2\xA0";  // in UTF-8

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  for (;;) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return {};
    text = text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
    // Spreadsheets and web pages leave no-break spaces around what is copied from them.
    if (text.substr(0, 2) == kNoBreakSpace) {
      text.remove_prefix(2);
    } else if (text.size() >= 2 && text.substr(text.size() - 2) == kNoBreakSpace) {
      text.remove_suffix(2);
    } else {
      return text;
    }
  }
}

std::optional<std::int64_t> parse_serial_number(std::string_view text) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Returns what is wrong with a list of URLs, or an empty string.
std::string check_urls(const std::vector<std::string_view>& urls) {
  if (urls.empty()) return "no image URL: give at least one http:// or https:// URL";
  if (std::none_of(urls.begin(), urls.end(), is_http_url)) {
    return "no http:// or https:// URL in " + quote_shortened(urls.front());
  }
  for (const std::string_view url : urls) {
    if (url.size() > kMaxUrlBytes) {
      return "the URL " + quote_shortened(url) + " is longer than " + std::to_string(kMaxUrlBytes) +
             " bytes";
    }
  }
  return {};
}

}  // namespace

std::optional<Product> read_product(int line, const ProductCells& cells,
                                    std::vector<InputFault>& faults) {
  return read_product(line, cells, split_url_list(cells.urls), faults);
}

std::optional<Product> read_product(int line, const ProductCells& cells,
                                    const std::vector<std::string_view>& urls,
                                    std::vector<InputFault>& faults) {
  const std::size_t faults_before = faults.size();
  const std::string_view serial_text = trim(cells.serial_number);
  const auto serial_number = parse_serial_number(serial_text);
  if (serial_text.empty()) {
    faults.push_back({line, kSerialColumn, "empty: give an integer"});
  } else if (!serial_number) {
    faults.push_back(
        {line, kSerialColumn, "not an integer (of 64 bits): " + quote_shortened(serial_text)});
  }
  const std::string_view name = trim(cells.name);
  if (name.empty()) faults.push_back({line, kNameColumn, "empty: every product needs a name"});
  std::string wrong_urls = check_urls(urls);
  if (!wrong_urls.empty()) faults.push_back({line, kUrlsColumn, std::move(wrong_urls)});

  if (faults.size() > faults_before) return std::nullopt;
  return Product{*serial_number, std::string(name), {urls.begin(), urls.end()}};
}

}  // namespace imgpress
