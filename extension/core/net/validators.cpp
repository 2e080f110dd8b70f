#include "core/net/validators.hpp"

#include <algorithm>

#include "core/net/retry_after.hpp"
#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kLongestTag = 256;
constexpr std::size_t kLongestDate = 40;
constexpr std::time_t kSettledSeconds = 60;

}  // namespace

bool is_entity_tag(std::string_view text) {
  if (text.size() > kLongestTag) return false;
  if (text.substr(0, 2) == "W/") text.remove_prefix(2);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  text = text.substr(1, text.size() - 2);
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '"'; });
}

bool is_modification_date(std::string_view text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ' ' ||
           c == ',' || c == ':' || c == '-';
  });
  return text.size() <= kLongestDate && is_plain && parse_http_date(std::string(text), 0);
}

Validators usable_validators(std::string_view etag, std::string_view last_modified,
                             std::string_view date, std::time_t received) {
  Validators usable;
  if (is_entity_tag(etag)) usable.etag = etag;
  if (!is_modification_date(last_modified)) return usable;
  const auto modified = parse_http_date(std::string(last_modified), received);
  const auto answered = parse_http_date(std::string(date), received).value_or(received);
  if (modified && answered - *modified >= kSettledSeconds) usable.last_modified = last_modified;
  return usable;
}

}  // namespace imgpress
