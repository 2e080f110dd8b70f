#include "page/page.hpp"

#include "page_files.hpp"

namespace imgpress::gateway {
namespace {

constexpr PageFile kFiles[] = {
    {"/", "text/html; charset=utf-8", kIndexHtml},
    {"/page.css", "text/css; charset=utf-8", kPageCss},
    {"/page.js", "text/javascript; charset=utf-8", kPageJs},
};

}  // namespace

const PageFile* find_page_file(std::string_view path) {
  for (const PageFile& file : kFiles) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

}  // namespace imgpress::gateway
