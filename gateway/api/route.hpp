// Finds the resource that a path names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "page/page.hpp"

namespace imgpress::gateway {

enum class Resource { kUnknown, kPage, kHealth, kUpload, kStatus, kProducts, kImage };

struct Route {
  Resource resource = Resource::kUnknown;
  // In lower case; empty if the path has something else in its place: there is no such request.
  std::string request_id;
  int image_no = 0;  // of an image
  const PageFile* page_file = nullptr;
  bool csv = false;  // products: "<uuid>.csv"
};

// `path` is decoded and without the query. A trailing slash makes no difference to the API. Images
// are found below any prefix, because the public URL may have one.
Route parse_route(std::string_view path);

// Who may do what with a resource.
struct Rules {
  const char* methods;  // the value of the header Allow
  const char* scope;    // what a key must be for; nullptr: no key is needed
  bool for_any_site;    // pages of other web sites may use it, too
  bool at_any_host;     // whatever the header Host says
};

// REQUIRES: resource is not kUnknown.
Rules rules_of(Resource resource);
bool method_allowed(Resource resource, std::string_view method);

// 8-4-4-4-12 hexadecimal digits, in lower case on return.
std::optional<std::string> parse_uuid(std::string_view text);

}  // namespace imgpress::gateway
