#include "page/page.hpp"

#include "api/handlers.hpp"

namespace imgpress::gateway {

void answer_page(std::string_view path, Exchange& exchange) {
  const PageFile& file = *find_page_file(path);
  exchange.set_header("Content-Security-Policy", kPagePolicy);
  exchange.set_header("Referrer-Policy", "no-referrer");
  exchange.set_header("Cache-Control", "no-cache");
  BodyBuilder builder = exchange.text_builder();
  builder.append(file.content);
  exchange.send(200, builder.finish(std::string(file.content_type)));
}

}  // namespace imgpress::gateway
