#include "http/validators.hpp"

namespace imgpress::gateway {
std::string quoted_etag(std::string_view etag) {
  return "\"" + std::string(etag) + "\"";
}

bool if_none_match(std::string_view header, std::string_view etag) {
  return header == "*" || header.find(quoted_etag(etag)) != header.npos;
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
