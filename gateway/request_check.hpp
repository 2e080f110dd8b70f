// What is refused before a byte of the body is read.
//
// The HTTP library reads chunked bodies without a limit, inflates compressed ones, reads an
// oversized body to its end and leaves the body of a GET in the connection, where it would be taken
// for the next request. So only bodies with one plain Content-Length within the limit pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// The headers that say where a request ends.
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

// True if the name consists of token characters only: "Content-Length " is none, and whoever stands
// before this server may read it as Content-Length.
bool is_header_name(std::string_view name);

// Digits only.
std::optional<std::uint64_t> parse_content_length(std::string_view text);

// The length of the body, or nothing where the framing cannot be trusted.
std::optional<std::uint64_t> body_length(const Framing& framing);

// Why a request other than an upload cannot be served, if so.
std::optional<Refusal> refuse_framing(const Framing& framing, std::string_view method);

// Why an upload cannot be served, if so.
std::optional<Refusal> refuse_upload(const Framing& framing, std::string_view content_type,
                                     std::uint64_t most_bytes);

}  // namespace imgpress::gateway
