#include "core/http/request_headers.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kMostNameBytes = 100;
constexpr std::size_t kMostValueBytes = 4000;

// A name that ends in '-' stands for all that begin so.
constexpr std::string_view kNotSettable[] = {
    "Accept-Encoding",
    "Connection",
    "Content-",
    "Expect",
    "Host",
    "HTTP2-Settings",
    "If-",
    "Keep-Alive",
    "Proxy-",
    "Range",
    "TE",
    "Trailer",
    "Upgrade",
    "Transfer-Encoding",
};
constexpr std::string_view kOnlyForOneOrigin[] = {"Authorization", "Cookie"};

bool is_one_of(std::string_view name, std::string_view listed) {
  return ends_with(listed, "-") ? starts_with_ignoring_case(name, listed)
                                : equals_ignoring_case(name, listed);
}

template <std::size_t N>
bool is_in(std::string_view name, const std::string_view (&list)[N]) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](std::string_view listed) { return is_one_of(name, listed); });
}

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string objection_to_header_value(std::string_view value) {
  if (value.size() > kMostValueBytes) return "is longer than 4000 bytes";
  const bool is_printable =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_printable) return "contains a character that is not printable ASCII";
  if (value != trim_spaces(value)) return "begins or ends with a blank";
  return {};
}

std::string objection_to_header(std::string_view name, std::string_view value, HeaderUse use) {
  // Not quoted: what was meant as a value may stand in the place of the name.
  if (name.size() > kMostNameBytes || !is_token(name)) {
    return "the name of a header consists of letters, digits and hyphens";
  }
  const std::string header = "header " + std::string(name);
  if (equals_ignoring_case(name, "User-Agent")) return header + " is the setting user_agent";
  if (is_in(name, kNotSettable)) return header + " is not settable: imgpress sends its own";
  if (use == HeaderUse::kEveryRequest && is_in(name, kOnlyForOneOrigin)) {
    return header + " is a secret of one origin: see imgpress.set_origin_header()";
  }
  if (value.empty()) return "the value of " + header + " is empty";
  const std::string objection = objection_to_header_value(value);
  return objection.empty() ? objection : "the value of " + header + ' ' + objection;
}

std::vector<std::string> split_request_headers(std::string_view list) {
  std::vector<std::string> headers;
  if (trim_spaces(list).empty()) return headers;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find('|', begin), list.size());
    const std::string_view item = trim_spaces(list.substr(begin, end - begin));
    begin = end + 1;
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos) {
      throw std::invalid_argument("Each header must be a name and a value, with a colon between.");
    }
    const std::string_view name = item.substr(0, colon);
    const std::string_view value = trim_spaces(item.substr(colon + 1));
    const std::string objection = objection_to_header(name, value, HeaderUse::kEveryRequest);
    if (!objection.empty()) throw std::invalid_argument(objection + ".");
    headers.push_back(std::string(name) + ": " + std::string(value));
  }
  return headers;
}

}  // namespace imgpress
