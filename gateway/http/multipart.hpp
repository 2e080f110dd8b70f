// A push parser for multipart/form-data (RFC 7578) that never holds more than a few kilobytes.
//
// The HTTP library has one, too. In version 0.11 it loses the beginning of a form whose first
// boundary arrives in two pieces, and keeps whatever follows a malformed boundary or the last one
// in memory; in all versions no limit of ours reaches what is neither a field nor a file.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// A part begins, a piece of it. Exceptions of these pass through MultipartParser::feed().
using BeginPart = std::function<void(const std::string& name)>;
using TakeBytes = std::function<void(std::string_view bytes)>;

bool is_multipart(std::string_view content_type);

class MultipartParser {
 public:
  // Throws HttpError if the content type names no usable boundary.
  MultipartParser(std::string_view content_type, BeginPart begin, TakeBytes take);

  // Throws HttpError, after which it must not be called again.
  void feed(std::string_view bytes);

  // True once the last boundary was seen.
  bool complete() const { return state_ == State::kEpilogue; }

 private:
  enum class State { kPreamble, kBoundary, kHeaders, kBody, kEpilogue };

  bool step();
  bool read_to_boundary();
  bool read_boundary();
  bool read_headers();
  void consume(std::size_t size) { start_ += size; }
  std::string_view pending() const { return std::string_view(buffer_).substr(start_); }

  const BeginPart begin_;
  const TakeBytes take_;
  std::string delimiter_;  // line end, two hyphens, boundary
  std::string buffer_;
  std::size_t start_ = 0;
  State state_ = State::kPreamble;
};

}  // namespace imgpress::gateway
