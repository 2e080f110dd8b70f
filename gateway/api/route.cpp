#include "api/route.hpp"

#include <cctype>
#include <charconv>

#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kUuidLength = 36;
constexpr std::string_view kImages = "/images/";

// "<uuid>/<image_no>/<anything>"
std::optional<Route> parse_image(std::string_view rest) {
  const auto id = parse_uuid(rest.substr(0, kUuidLength));
  if (!id || rest.size() <= kUuidLength || rest[kUuidLength] != '/') return std::nullopt;
  rest.remove_prefix(kUuidLength + 1);
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash == 0 || rest[0] == '-') return std::nullopt;
  int image_no = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + slash, image_no);
  if (error != std::errc() || end != rest.data() + slash) return std::nullopt;
  return Route{Resource::kImage, *id, image_no};
}

// The one segment that follows the prefix.
std::optional<Route> parse_request(std::string_view path, std::string_view prefix,
                                   Resource resource) {
  if (path.substr(0, prefix.size()) != prefix) return std::nullopt;
  const std::string_view segment = path.substr(prefix.size());
  if (segment.empty() || segment.find('/') != std::string_view::npos) return std::nullopt;
  return Route{resource, parse_uuid(segment).value_or(""), 0};
}

// "<uuid>", or "<uuid>.csv" for another form of the same.
std::optional<Route> parse_products(std::string_view path) {
  constexpr std::string_view kSuffix = ".csv";
  const bool csv =
      path.size() > kSuffix.size() && path.substr(path.size() - kSuffix.size()) == kSuffix;
  if (csv) path.remove_suffix(kSuffix.size());
  auto route = parse_request(path, "/api/products/", Resource::kProducts);
  if (route) route->csv = csv;
  return route;
}

// "/path" for "http://host/path", which HTTP allows as a target.
std::string_view without_host(std::string_view path) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(path.substr(0, scheme.size()), scheme)) continue;
    const std::size_t slash = path.find('/', scheme.size());
    return slash == path.npos ? "/" : path.substr(slash);
  }
  return path;
}

}  // namespace

Route parse_route(std::string_view path) {
  path = without_host(path);
  if (const PageFile* file = find_page_file(path)) return {Resource::kPage, "", 0, file};
  const std::string_view whole = path;
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  if (path == "/api/upload") return {Resource::kUpload, "", 0};
  if (path == "/healthz") return {Resource::kHealth, "", 0};
  if (auto route = parse_request(path, "/api/status/", Resource::kStatus)) return *route;
  if (auto route = parse_products(path)) return *route;
  for (std::size_t at = whole.find(kImages); at != std::string_view::npos;
       at = whole.find(kImages, at + 1)) {
    if (auto route = parse_image(whole.substr(at + kImages.size()))) return *route;
  }
  return {};
}

Rules rules_of(Resource resource) {
  constexpr const char* kRead = "GET, HEAD";
  switch (resource) {  // no default: the compiler tells when a resource has no rules
    case Resource::kPage:
      return {kRead, nullptr, true, false};  // links lead to it
    case Resource::kHealth:
      return {kRead, nullptr, true, true};
    case Resource::kUpload:
      return {"POST", "submit", false, false};
    case Resource::kStatus:
    case Resource::kProducts:
      return {kRead, "read", false, false};
    case Resource::kImage:
      return {kRead, nullptr, true, true};  // the pages of shops show them
    case Resource::kUnknown:
      break;
  }
  return {};
}

bool method_allowed(Resource resource, std::string_view method) {
  if (resource == Resource::kUpload) return method == "POST";
  return method == "GET" || method == "HEAD";
}

std::optional<std::string> parse_uuid(std::string_view text) {
  if (text.size() != kUuidLength) return std::nullopt;
  std::string id;
  id.reserve(kUuidLength);
  for (std::size_t i = 0; i < kUuidLength; ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    const auto c = static_cast<unsigned char>(text[i]);
    if (hyphen ? c != '-' : std::isxdigit(c) == 0) return std::nullopt;
    id += static_cast<char>(std::tolower(c));
  }
  return id;
}

}  // namespace imgpress::gateway
