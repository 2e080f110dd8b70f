#include "request_check.hpp"

#include <algorithm>
#include <charconv>

#include "ascii.hpp"
#include "multipart.hpp"

namespace imgpress::gateway {
namespace {

bool is_token_character(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return is_letter(c) || is_digit(c) || kMarks.find(c) != kMarks.npos;
}

std::optional<Refusal> refuse_untrusted(const Framing& framing) {
  if (!framing.names_valid) return Refusal{400, "The request has a malformed header."};
  if (framing.transfer_encoding) {
    return Refusal{411, "A body must come with Content-Length, without Transfer-Encoding."};
  }
  if (framing.content_lengths > 1) {
    return Refusal{400, "The request has more than one Content-Length."};
  }
  if (!body_length(framing)) return Refusal{400, "Content-Length is not a number."};
  if (framing.content_encoding && framing.content_lengths > 0) {
    return Refusal{415, "A body with a Content-Encoding is not accepted."};
  }
  return std::nullopt;
}

}  // namespace

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token_character);
}

std::optional<std::uint64_t> parse_content_length(std::string_view text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  std::uint64_t length = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, length);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return length;
}

std::optional<std::uint64_t> body_length(const Framing& framing) {
  if (!framing.names_valid || framing.transfer_encoding || framing.content_lengths > 1) {
    return std::nullopt;
  }
  if (framing.content_lengths == 0) return 0;
  return parse_content_length(framing.content_length);
}

std::optional<Refusal> refuse_framing(const Framing& framing, std::string_view method) {
  if (auto refusal = refuse_untrusted(framing)) return refusal;
  if ((method == "GET" || method == "HEAD") && *body_length(framing) > 0) {
    return Refusal{400, "A " + std::string(method) + " request must not have a body."};
  }
  return std::nullopt;
}

std::optional<Refusal> refuse_upload(const Framing& framing, std::string_view content_type,
                                     std::uint64_t most_bytes) {
  if (auto refusal = refuse_untrusted(framing)) return refusal;
  if (framing.content_lengths == 0) return Refusal{411, "An upload needs a Content-Length."};
  if (*body_length(framing) > most_bytes + kFormOverhead) {
    return Refusal{413, "The upload is larger than " + std::to_string(most_bytes) + " bytes."};
  }
  if (!is_multipart_form(content_type)) {
    return Refusal{415, "An upload is multipart/form-data with the CSV in the field \"file\"."};
  }
  if (!multipart_boundary(content_type)) {
    return Refusal{400, "The multipart/form-data of the upload names no usable boundary."};
  }
  return std::nullopt;
}

}  // namespace imgpress::gateway
