#include "multipart.hpp"

#include <algorithm>

#include "ascii.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kLongestBoundary = 200;  // RFC 2046 allows 70
constexpr std::size_t kLongestHeaders = 8 * 1024;
constexpr std::size_t kLongestPadding = 256;
constexpr std::size_t kMostParts = 64;
constexpr std::string_view kLineEnd = "\r\n";

// Takes a quoted string (its opening quote first) off the text.
std::string take_quoted(std::string_view& text) {
  std::string value;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    // Only \" and \\ are escapes: some clients send Windows paths without doubling backslashes.
    if (text.size() > 1 && text[0] == '\\' && (text[1] == '"' || text[1] == '\\')) {
      text.remove_prefix(1);
    }
    value += text.front();
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

// Takes the value of a parameter off the text, up to the semicolon after it.
std::string take_value(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  if (!text.empty() && text.front() == '"') return take_quoted(text);
  const std::size_t end = std::min(text.find(';'), text.size());
  std::string value(trimmed(text.substr(0, end)));
  text.remove_prefix(end);
  return value;
}

// The value of Content-Disposition in a block of header lines.
std::string_view content_disposition(std::string_view block) {
  while (!block.empty()) {
    const std::size_t end = std::min(block.find(kLineEnd), block.size());
    const std::string_view line = block.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos &&
        equals_ignoring_case(trimmed(line.substr(0, colon)), "content-disposition")) {
      return trimmed(line.substr(colon + 1));
    }
    block.remove_prefix(std::min(end + kLineEnd.size(), block.size()));
  }
  return {};
}

}  // namespace

bool is_multipart_form(std::string_view content_type) {
  return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))),
                              "multipart/form-data");
}

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  auto boundary = header_parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kLongestBoundary) return std::nullopt;
  if (boundary->find_first_of(kLineEnd) != std::string::npos) return std::nullopt;
  return boundary;
}

std::optional<std::string> header_parameter(std::string_view header, std::string_view name) {
  for (std::size_t at = header.find(';'); at != std::string_view::npos; at = header.find(';')) {
    header.remove_prefix(at + 1);
    const std::size_t equals = header.find('=');
    const std::size_t semicolon = header.find(';');
    if (equals == std::string_view::npos) return std::nullopt;
    if (semicolon < equals) continue;
    const std::string_view key = trimmed(header.substr(0, equals));
    header.remove_prefix(equals + 1);
    std::string value = take_value(header);
    if (equals_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

MultipartParser::MultipartParser(const std::string& boundary, PartListener& listener)
    : listener_(listener),
      delimiter_("\r\n--" + boundary),
      // The first boundary has no line end before it: with this one it looks like all others.
      buffer_(kLineEnd) {}

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
      return skip_to_delimiter();
    case State::kDelimiter:
      return after_delimiter();
    case State::kHeaders:
      return read_headers();
    case State::kBody:
      return read_body();
    case State::kEpilogue:
      consume(pending().size());
      return false;
  }
  return false;
}

bool MultipartParser::skip_to_delimiter() {
  const std::size_t at = pending().find(delimiter_);
  if (at != std::string_view::npos) {
    consume(at + delimiter_.size());
    state_ = State::kDelimiter;
    return true;
  }
  // The last bytes may be the beginning of the delimiter.
  if (pending().size() >= delimiter_.size()) consume(pending().size() - delimiter_.size() + 1);
  return false;
}

bool MultipartParser::after_delimiter() {
  const std::string_view text = pending();
  if (text.size() < 2) return false;
  if (text.substr(0, 2) == "--") {
    state_ = State::kEpilogue;
    return true;
  }
  const std::size_t end = text.find_first_not_of(" \t");
  if (end == std::string_view::npos || end + 1 == text.size()) {
    if (text.size() > kLongestPadding) throw MultipartError("A multipart boundary is malformed.");
    return false;
  }
  if (text.substr(end, 2) != kLineEnd) throw MultipartError("A multipart boundary is malformed.");
  if (++parts_ > kMostParts) throw MultipartError("The form has too many fields.");
  // Keeps the line end: with it, the headers of a part without any end like all others.
  consume(end);
  state_ = State::kHeaders;
  return true;
}

bool MultipartParser::read_headers() {
  constexpr std::string_view kBlockEnd = "\r\n\r\n";
  const std::size_t end = pending().find(kBlockEnd);
  if (end == std::string_view::npos || end > kLongestHeaders) {
    if (pending().size() > kLongestHeaders) {
      throw MultipartError("The headers of a form field are too long.");
    }
    return false;
  }
  const std::string_view block = pending().substr(0, end);
  const auto name = header_parameter(content_disposition(block), "name");
  if (!name) throw MultipartError("A form field has no name.");
  consume(end + kBlockEnd.size());
  listener_.part_begins(*name);
  state_ = State::kBody;
  return true;
}

bool MultipartParser::read_body() {
  const std::size_t at = pending().find(delimiter_);
  const bool ends = at != std::string_view::npos;
  std::size_t size = at;
  if (!ends) {
    if (pending().size() < delimiter_.size()) return false;
    size = pending().size() - delimiter_.size() + 1;
  }
  if (size > 0) listener_.part_continues(pending().substr(0, size));
  consume(size);
  if (!ends) return false;
  listener_.part_ends();
  consume(delimiter_.size());
  state_ = State::kDelimiter;
  return true;
}

}  // namespace imgpress::gateway
