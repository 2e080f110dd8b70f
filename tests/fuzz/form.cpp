// What clients send to the gateway: forms, and the paths of resources.
#include <algorithm>
#include <string>

#include "api/form.hpp"
#include "api/route.hpp"
#include "http/body.hpp"
#include "http/errors.hpp"
#include "http/multipart.hpp"
#include "target.hpp"

namespace imgpress::fuzz {
namespace {

using gateway::HttpError;
using gateway::UploadForm;

constexpr std::size_t kMostBytes = 16UL * 1024;

gateway::SpoolSpace& space() {
  static gateway::SpoolSpace made("/tmp", 1UL << 20);
  return made;
}

std::string file_of(const UploadForm& form) {
  std::string text(form.file().size(), '\0');
  text.resize(form.file().read(0, text.data(), text.size()));
  return text;
}

// The fields and the file, or what the client is told.
std::string read_form(const std::string& type, std::string_view body, std::size_t piece) {
  UploadForm form(space(), kMostBytes);
  try {
    gateway::MultipartParser parser(
        type, [&](const std::string& name) { form.begin_part(name); },
        [&](std::string_view bytes) { form.take(bytes); });
    while (!body.empty()) {
      parser.feed(body.substr(0, piece));
      body.remove_prefix(std::min(piece, body.size()));
    }
    if (!parser.complete()) return "not complete";
    form.finish();
  } catch (const HttpError& error) {
    return error.what();
  }
  return gateway::to_text(form.fields()) + file_of(form);
}

}  // namespace

IMGPRESS_FUZZ_TARGET(multipart) {
  const std::size_t piece = 1 + take_byte(input);
  const std::string type(text_of(take(input, take_byte(input))));
  const std::string_view body = text_of(input);
  require(read_form(type, body, piece) == read_form(type, body, body.size() + 1),
          "a form does not depend on the pieces in which it comes");
}

// A query, or a form as a browser sends it without a file: the library decodes it.
IMGPRESS_FUZZ_TARGET(parameters) {
  httplib::Params parameters;
  httplib::detail::parse_query_text(std::string(text_of(input)), parameters);
  UploadForm form(space(), kMostBytes);
  try {
    form.add_parameters(parameters);
    form.finish();
  } catch (const HttpError&) {
    return;
  }
  gateway::to_text(form.fields());
}

IMGPRESS_FUZZ_TARGET(route) {
  const std::string_view path = text_of(input);
  const gateway::Route route = gateway::parse_route(path);
  require(route.request_id.empty() || gateway::parse_uuid(route.request_id) == route.request_id,
          "an id is a UUID in lower case");
  require(route.image_no >= 0, "an image has a number");
  require(route.resource == gateway::Resource::kUnknown ||
              gateway::method_allowed(route.resource, "GET") ||
              gateway::method_allowed(route.resource, "POST"),
          "a resource can be asked for");
}

}  // namespace imgpress::fuzz
