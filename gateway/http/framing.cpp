#include "http/framing.hpp"

#include <algorithm>
#include <cctype>
#include <string>

#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kMostHeaderBytes = 32UL * 1024;
constexpr std::size_t kMostDigits = 19;  // fits into 64 bits, with a sign

bool is_token_character(unsigned char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return std::isalnum(c) != 0 || kMarks.find(static_cast<char>(c)) != kMarks.npos;
}

// Unlike the library's function it does not end at a zero byte. REQUIRES: there is such a header
const std::string& value_of(const httplib::Request& request, const char* name) {
  return request.headers.find(name)->second;
}

Error malformed(const char* message) {
  return {kBadRequest, message};
}

std::optional<Error> refuse_headers(const httplib::Request& request) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : request.headers) {
    if (!is_header_name(name)) return malformed("the name of a header is malformed");
    bytes += name.size() + value.size();
  }
  if (bytes > kMostHeaderBytes) return library_error(431);
  const auto lengths = request.headers.count("Content-Length");
  const auto encodings = request.headers.count("Transfer-Encoding");
  if (request.headers.count("Host") > 1) return malformed("the request has more than one Host");
  if (lengths > 1) return malformed("the request has more than one Content-Length");
  if (encodings > 0 && lengths > 0) {
    return malformed("the request has both Content-Length and Transfer-Encoding");
  }
  if (lengths == 1 && !parse_content_length(value_of(request, "Content-Length"))) {
    return malformed("Content-Length is not a number");
  }
  if (encodings > 1 || (encodings == 1 && value_of(request, "Transfer-Encoding") != "chunked")) {
    return malformed("Transfer-Encoding is something else than \"chunked\"");
  }
  if (encodings == 1 && request.version == "HTTP/1.0") {
    return malformed("HTTP/1.0 has no Transfer-Encoding");
  }
  // Version 0.41 of the library would answer this without a length.
  if (equals_ignoring_case(request.get_header_value("Upgrade"), "websocket")) {
    return malformed("there is no WebSocket here");
  }
  return std::nullopt;
}

// The library reads bodies of these methods only; that of a DELETE only if it has a Content-Length.
bool may_have_body(const httplib::Request& request) {
  const std::string& method = request.method;
  if (method == "DELETE") return !request.has_header("Transfer-Encoding");
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token_character);
}

std::optional<std::uint64_t> parse_content_length(std::string_view text) {
  const bool digits = text.find_first_not_of("0123456789") == text.npos;
  if (text.empty() || text.size() > kMostDigits || !digits) return std::nullopt;
  return std::stoull(std::string(text));
}

std::uint64_t declared_length(const httplib::Request& request) {
  return parse_content_length(request.get_header_value("Content-Length")).value_or(0);
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") || declared_length(request) > 0;
}

std::optional<Error> refuse_framing(const httplib::Request& request) {
  if (auto error = refuse_headers(request)) return error;
  if (request.method == "POST" && !request.has_header("Content-Length") &&
      !request.has_header("Transfer-Encoding")) {
    return Error{kLengthRequired, "the request has neither Content-Length nor Transfer-Encoding"};
  }
  if (has_body(request) && !may_have_body(request)) {
    return Error{kBadRequest, "a " + request.method + " request has no body here"};
  }
  return std::nullopt;
}

}  // namespace imgpress::gateway
