// Refuses requests before a byte of the body is read.
//
// The HTTP library reads chunked bodies without a limit, decompresses bodies, reads an oversized
// body to its end, and leaves the body of a GET in the connection, where it would be taken for the
// next request. So only bodies with a single valid Content-Length within the limit are accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// What the headers say about where the request ends.
struct Framing {
  bool names_valid = true;  // every header name is a token
  bool transfer_encoding = false;
  bool content_encoding = false;
  std::size_t content_lengths = 0;
  std::string content_length;  // the first one
};

struct Refusal {
  int status;
  std::string message;
};

// True if the name is a token (RFC 9110). "Content-Length " is not, but a proxy in front of this
// server may read it as Content-Length.
bool is_header_name(std::string_view name);

// Parses a number of digits only.
std::optional<std::uint64_t> parse_content_length(std::string_view text);

// The length of the body; no value if the framing cannot be trusted.
std::optional<std::uint64_t> body_length(const Framing& framing);

// Why a request other than an upload is refused; no value if it is not.
std::optional<Refusal> refuse_framing(const Framing& framing, std::string_view method);

// Why an upload is refused; no value if it is not.
std::optional<Refusal> refuse_upload(const Framing& framing, std::string_view content_type,
                                     std::uint64_t most_bytes);

}  // namespace imgpress::gateway
