#include "api/handlers.hpp"

namespace imgpress::gateway {

void answer_page(const PageFile& file, Exchange& exchange) {
  exchange.set_header("Content-Security-Policy", kPagePolicy);
  exchange.set_header("Referrer-Policy", "no-referrer");
  exchange.set_header("Cache-Control", "no-cache");
  BodyBuilder builder = exchange.text_builder();
  builder.append(file.content);
  exchange.send(200, builder.finish(std::string(file.content_type)));
}

}  // namespace imgpress::gateway
