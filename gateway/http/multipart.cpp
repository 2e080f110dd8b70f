#include "http/multipart.hpp"

#include <algorithm>
#include <optional>

#include "http/errors.hpp"
#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kLongestBoundary = 200;  // RFC 2046 allows 70
constexpr std::size_t kLongestHeaders = 8UL * 1024;
constexpr std::size_t kLongestPadding = 256;
constexpr std::string_view kLineEnd = "\r\n";

[[noreturn]] void fail(const char* message) {
  throw HttpError({kBadRequest, message});
}

// Takes a quoted string (its opening quote first) off the text.
std::string take_quoted(std::string_view& text) {
  std::string value;
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    // Only \" and \\ are escapes: some clients send Windows paths without doubling backslashes.
    const std::string_view pair = text.substr(at, 2);
    if (pair == "\\\"" || pair == "\\\\") ++at;
    value += text[at];
  }
  text.remove_prefix(std::min(at + 1, text.size()));
  return value;
}

// The value of one parameter of a header such as `form-data; name="file"; filename=a.csv`.
std::optional<std::string> header_parameter(std::string_view header, std::string_view name) {
  for (std::size_t at = header.find(';'); at != header.npos; at = header.find(';')) {
    header.remove_prefix(at + 1);
    const std::size_t equals = std::min(header.find_first_of("=;"), header.size());
    const std::string_view key = trimmed(header.substr(0, equals));
    if (header.substr(equals, 1) != "=") continue;
    header.remove_prefix(equals + 1);
    header.remove_prefix(std::min(header.find_first_not_of(" \t"), header.size()));
    const std::string value = header.substr(0, 1) == "\""
                                  ? take_quoted(header)
                                  : std::string(trimmed(header.substr(0, header.find(';'))));
    if (equals_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

// The value of Content-Disposition in a block of header lines.
std::string_view content_disposition(std::string_view block) {
  while (!block.empty()) {
    const std::size_t end = std::min(block.find(kLineEnd), block.size());
    const std::string_view line = block.substr(0, end);
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (equals_ignoring_case(trimmed(line.substr(0, colon)), "content-disposition")) return line;
    block.remove_prefix(std::min(end + kLineEnd.size(), block.size()));
  }
  return {};
}

}  // namespace

bool is_multipart(std::string_view content_type) {
  return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))),
                              "multipart/form-data");
}

MultipartParser::MultipartParser(std::string_view content_type, BeginPart begin, TakeBytes take)
    : begin_(std::move(begin)),
      take_(std::move(take)),
      // The first boundary has no line end before it: with this one it looks like all others.
      buffer_(kLineEnd) {
  const auto boundary = header_parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kLongestBoundary ||
      boundary->find_first_of(kLineEnd) != boundary->npos) {
    fail("Content-Type names no boundary between the fields of the form");
  }
  delimiter_ = "\r\n--" + *boundary;
}

void MultipartParser::feed(std::string_view bytes) {
  if (state_ == State::kEpilogue) return;  // bytes after the last boundary are ignored
  buffer_.append(bytes);
  while (step()) {
  }
  buffer_.erase(0, start_);
  start_ = 0;
}

// False if more bytes are needed.
bool MultipartParser::step() {
  switch (state_) {
    case State::kPreamble:
    case State::kBody:
      return read_to_boundary();
    case State::kBoundary:
      return read_boundary();
    case State::kHeaders:
      return read_headers();
    case State::kEpilogue:
      break;
  }
  return false;
}

bool MultipartParser::read_to_boundary() {
  const std::size_t at = pending().find(delimiter_);
  const bool found = at != std::string_view::npos;
  // The last bytes may be the beginning of the delimiter.
  if (!found && pending().size() < delimiter_.size()) return false;
  const std::size_t size = found ? at : pending().size() - delimiter_.size() + 1;
  if (state_ == State::kBody && size > 0) take_(pending().substr(0, size));
  consume(size);
  if (!found) return false;
  consume(delimiter_.size());
  state_ = State::kBoundary;
  return true;
}

bool MultipartParser::read_boundary() {
  const std::string_view text = pending();
  if (text.size() < 2) return false;
  if (text.substr(0, 2) == "--") {
    state_ = State::kEpilogue;
    return true;
  }
  const std::size_t end = std::min(text.find_first_not_of(" \t"), text.size());
  if (end + 1 >= text.size() && text.size() <= kLongestPadding) return false;
  if (text.substr(end, 2) != kLineEnd) fail("a boundary of the form is malformed");
  // Keeps the line end: with it, the headers of a part without any end like all others.
  consume(end);
  state_ = State::kHeaders;
  return true;
}

bool MultipartParser::read_headers() {
  constexpr std::string_view kBlockEnd = "\r\n\r\n";
  const std::size_t end = pending().find(kBlockEnd);
  if (std::min(end, pending().size()) > kLongestHeaders) {
    fail("the headers of a field of the form are too long");
  }
  if (end == std::string_view::npos) return false;
  const auto name = header_parameter(content_disposition(pending().substr(0, end)), "name");
  if (!name) fail("a field of the form has no name");
  consume(end + kBlockEnd.size());
  begin_(*name);
  state_ = State::kBody;
  return true;
}

}  // namespace imgpress::gateway
