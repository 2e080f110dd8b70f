#include "core/net/url.hpp"

#include <algorithm>

#include "core/rules/formats.hpp"

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr std::string_view kSuffix = "_compressed";
constexpr std::string_view kNameless = "image";
constexpr std::size_t kMaxNameBytes = 200;

// Length of "http://" or "https://" at the start of `text`, else 0.
std::size_t scheme_length(std::string_view text) {
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (starts_with_ignoring_case(text, scheme)) return scheme.size();
  }
  return 0;
}

std::size_t authority_end(std::string_view url) {
  return std::min(url.find_first_of("/?#", scheme_length(url)), url.size());
}

// Where the file name stands in `url`: behind the last slash of the path, before query and
// fragment.
struct NamePart {
  std::size_t begin;
  std::size_t dot;  // of the extension; == end when there is none
  std::size_t end;
};

NamePart find_name(std::string_view url) {
  const std::size_t path = authority_end(url);
  const std::size_t end = std::min(url.find_first_of("?#", path), url.size());
  const std::size_t slash = url.substr(0, end).rfind('/');
  const std::size_t begin = slash == std::string_view::npos || slash < path ? end : slash + 1;
  const std::size_t dot = url.substr(0, end).rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot > begin;
  return {begin, has_extension ? dot : end, end};
}

bool is_plain(char c) {
  return is_letter(c) || is_digit(c) ||
         std::string_view("-._~!$'()*+=:@").find(c) != std::string_view::npos;
}

// Escapes what a path segment may not hold, and the comma, which separates URLs in a list.
std::string encode_segment(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escaped =
        c == '%' && i + 2 < text.size() && is_hex_digit(text[i + 1]) && is_hex_digit(text[i + 2]);
    if (escaped || is_plain(c)) {
      out += c;
    } else {
      append_percent_encoded(out, c);
    }
  }
  return out;
}

// Shortens from the left, never inside a percent escape.
std::string_view shorten(std::string_view name) {
  if (name.size() <= kMaxNameBytes) return name;
  std::size_t cut = name.size() - kMaxNameBytes;
  while (cut < name.size() && (name[cut - 1] == '%' || (cut > 1 && name[cut - 2] == '%'))) ++cut;
  return name.substr(cut);
}

std::string_view served_extension(std::string_view source_extension, std::string_view format) {
  const auto* known = std::find_if(kFormats.begin(), kFormats.end(),
                                   [&](const FormatInfo& entry) { return entry.name == format; });
  if (known == kFormats.end()) return {};
  for (const std::string_view extension : known->extensions) {
    const bool same = !extension.empty() && equals_ignoring_case(source_extension, extension);
    if (same) return source_extension;
  }
  return known->extensions.front();
}

}  // namespace

bool has_scheme(std::string_view text) {
  return scheme_length(text) > 0;
}

bool is_http_url(std::string_view text) {
  const std::size_t scheme = scheme_length(text);
  return scheme > 0 && authority_end(text) > scheme;
}

std::string host_of(std::string_view url) {
  const std::size_t scheme = scheme_length(url);
  if (scheme == 0) return {};
  std::string_view authority = url.substr(scheme, authority_end(url) - scheme);
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  return lower_case(authority);
}

std::string compressed_name(std::string_view url, std::string_view format) {
  const NamePart name = find_name(url);
  const std::string_view stem = url.substr(name.begin, name.dot - name.begin);
  const std::string_view extension = url.substr(name.dot, name.end - name.dot);
  const std::string head = encode_segment(stem.empty() ? kNameless : stem);
  return std::string(shorten(head)).append(kSuffix).append(served_extension(extension, format));
}

std::string simulated_output_url(std::string_view url) {
  const NamePart name = find_name(url);
  std::string out(url.substr(0, name.dot));
  if (name.begin == name.dot) {
    if (out.empty() || out.back() != '/') out += '/';
    out += kNameless;
  }
  return out.append(kSuffix).append(url.substr(name.dot));
}

}  // namespace imgpress
