// The page at /: drop a CSV, follow its request, see its images. The build embeds its files.
#pragma once

#include <string_view>

namespace imgpress::gateway {

// The browser runs and loads only what this server sends, never anything injected into the page.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct PageFile {
  std::string_view path;
  std::string_view content_type;
  std::string_view content;
};

// The file at this path ("/", "/page.css", ...), or null. The files last as long as the program.
const PageFile* find_page_file(std::string_view path);

}  // namespace imgpress::gateway
