#include "http/validators.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::string_view kBlanksAndCommas = " \t,";

void skip_blanks_and_commas(std::string_view& text) {
  const std::size_t start = text.find_first_not_of(kBlanksAndCommas);
  text.remove_prefix(start == std::string_view::npos ? text.size() : start);
}

}  // namespace

std::string quoted_etag(std::string_view etag) {
  return "\"" + std::string(etag) + "\"";
}

bool if_none_match(std::string_view header, std::string_view etag) {
  for (skip_blanks_and_commas(header); !header.empty(); skip_blanks_and_commas(header)) {
    if (header.front() == '*') {
      header.remove_prefix(1);
      skip_blanks_and_commas(header);
      return header.empty();  // a star is valid only alone
    }
    if (header.substr(0, 2) == "W/") header.remove_prefix(2);
    if (header.empty() || header.front() != '"') return false;
    const std::size_t close = header.find('"', 1);
    if (close == std::string_view::npos) return false;
    if (header.substr(1, close - 1) == etag) return true;
    header.remove_prefix(close + 1);
  }
  return false;
}

std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  // The program never calls setlocale(), so the names of days and months are the English ones.
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text, length);
}

}  // namespace imgpress::gateway
