#include "core/rules/output_name.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/net/url.hpp"
#include "core/rules/formats.hpp"
#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

constexpr std::string_view kSuffix = "_compressed";
constexpr std::string_view kNameless = "image";
constexpr std::size_t kMaxNameBytes = 200;

// The file name in a URL: after the last slash of the path, before query and fragment.
struct FileName {
  std::size_t begin;
  std::size_t dot;  // of the extension; == end if there is none
  std::size_t end;
};

FileName find_name(std::string_view url) {
  const std::size_t path = path_begin(url);
  const std::size_t end = std::min(url.find_first_of("?#", path), url.size());
  const std::size_t slash = url.substr(0, end).rfind('/');
  const std::size_t begin = slash == std::string_view::npos || slash < path ? end : slash + 1;
  const std::size_t dot = url.substr(0, end).rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot > begin;
  return {begin, has_extension ? dot : end, end};
}

// Commas are encoded, too: they separate the URLs of a list.
bool is_plain(char c) {
  return is_letter(c) || is_digit(c) ||
         std::string_view("-._~!$'()*+=:@").find(c) != std::string_view::npos;
}

bool is_percent_encoded(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' && is_hex_digit(text[1]) && is_hex_digit(text[2]);
}

std::string encode_segment(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_plain(text[i]) || is_percent_encoded(text.substr(i))) {
      out += text[i];
    } else {
      append_percent_encoded(out, text[i]);
    }
  }
  return out;
}

// Keeps the end of a long name; never cuts inside a percent-encoded character.
std::string_view shorten(std::string_view name) {
  if (name.size() <= kMaxNameBytes) return name;
  std::size_t cut = name.size() - kMaxNameBytes;
  while (cut < name.size() && (name[cut - 1] == '%' || (cut > 1 && name[cut - 2] == '%'))) ++cut;
  return name.substr(cut);
}

std::string_view output_extension(std::string_view source_extension, std::string_view format) {
  const auto known = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const FormatInfo& info) { return info.name == format; });
  if (known == kFormats.end()) {
    throw std::invalid_argument("there is no image format " + quote_shortened(format));
  }
  for (const std::string_view extension : known->extensions) {
    const bool fits = !extension.empty() && equals_ignoring_case(source_extension, extension);
    if (fits) return source_extension;
  }
  return known->extensions.front();
}

}  // namespace

std::string output_name(std::string_view source_url, std::string_view format) {
  const FileName name = find_name(source_url);
  const std::string_view stem = source_url.substr(name.begin, name.dot - name.begin);
  const std::string_view extension = source_url.substr(name.dot, name.end - name.dot);
  const std::string head = encode_segment(stem.empty() ? kNameless : stem);
  return std::string(shorten(head)).append(kSuffix).append(output_extension(extension, format));
}

std::string served_url(std::string_view public_url, std::string_view request_id, int image_no,
                       std::string_view source_url, std::string_view format) {
  while (ends_with(public_url, "/")) public_url.remove_suffix(1);
  std::string url(public_url);
  url.append("/images/").append(request_id).append("/").append(std::to_string(image_no));
  return url.append("/").append(output_name(source_url, format));
}

std::string simulated_url(std::string_view source_url) {
  const FileName name = find_name(source_url);
  std::string url(source_url.substr(0, name.dot));
  if (name.begin == name.dot) {
    if (!ends_with(url, "/")) url += '/';
    url += kNameless;
  }
  return url.append(kSuffix).append(source_url.substr(name.dot));
}

}  // namespace imgpress
