// Refuses requests whose end cannot be trusted, before a byte of the body is read: what one server
// takes for a body, another may take for the next request.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/errors.hpp"

namespace imgpress::gateway {

// The connection must be closed after this error. No value if the framing is sound.
std::optional<Error> refuse_framing(const httplib::Request& request);

// True if a body follows. REQUIRES: !refuse_framing(request)
bool has_body(const httplib::Request& request);

// The length of the body, 0 if it comes in chunks. REQUIRES: !refuse_framing(request)
std::uint64_t declared_length(const httplib::Request& request);

// True if the name is a token (RFC 9110). "Content-Length " is not, but a proxy in front of this
// server may read it as Content-Length.
bool is_header_name(std::string_view name);

// Parses a number of at most 19 digits, and nothing else.
std::optional<std::uint64_t> parse_content_length(std::string_view text);

}  // namespace imgpress::gateway
