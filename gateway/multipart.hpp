// A push parser for multipart/form-data (RFC 7578) that never holds more than a few kilobytes.
//
// The HTTP library's own parser misses the first boundary if a read ends inside it, buffers the
// whole body after a malformed boundary, and knows only one spelling of the headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// How much boundaries, part headers and small fields may add to the file of an upload.
constexpr std::uint64_t kFormOverhead = 64 * 1024;

bool is_multipart_form(std::string_view content_type);

// The boundary parameter of a Content-Type; no value if it is missing, empty or too long.
std::optional<std::string> multipart_boundary(std::string_view content_type);

// The value of one parameter of a header such as `form-data; name="file"; filename=a.csv`.
std::optional<std::string> header_parameter(std::string_view header, std::string_view name);

// The body is not valid multipart/form-data; what() is a sentence for the user.
class MultipartError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Called for the parts in order. Its exceptions pass through MultipartParser::feed().
class PartListener {
 public:
  virtual ~PartListener() = default;
  virtual void part_begins(const std::string& name) = 0;
  virtual void part_continues(std::string_view bytes) = 0;
  virtual void part_ends() = 0;
};

class MultipartParser {
 public:
  MultipartParser(const std::string& boundary, PartListener& listener);

  // Throws MultipartError, after which it must not be called again.
  void feed(std::string_view bytes);

  // True once the closing boundary was seen.
  bool complete() const { return state_ == State::kEpilogue; }

 private:
  enum class State { kPreamble, kDelimiter, kHeaders, kBody, kEpilogue };

  bool step();
  bool skip_to_delimiter();
  bool after_delimiter();
  bool read_headers();
  bool read_body();
  void consume(std::size_t size) { start_ += size; }
  std::string_view pending() const { return std::string_view(buffer_).substr(start_); }

  PartListener& listener_;
  const std::string delimiter_;  // CRLF, two hyphens, boundary
  std::string buffer_;
  std::size_t start_ = 0;
  State state_ = State::kPreamble;
  std::size_t parts_ = 0;
};

}  // namespace imgpress::gateway
