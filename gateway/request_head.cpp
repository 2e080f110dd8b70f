#include "request_head.hpp"

#include <algorithm>
#include <optional>

#include "ascii.hpp"
#include "request_check.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kLineBytes = 8 * 1024;  // the limit of the library, which would just hang up
constexpr std::size_t kHeadBytes = 32 * 1024;
constexpr std::string_view kLineEnd = "\r\n";

// Replaces a head that is refused.
constexpr const char* kRefusedHead = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

// Empty lines in front of a request are allowed.
std::size_t head_begin(std::string_view input) {
  return std::min(input.find_first_not_of(kLineEnd), input.size());
}

// The place after the empty line (with or without CR) that ends the head; npos if it is incomplete.
std::size_t head_end(std::string_view input, std::size_t from) {
  for (std::size_t at = input.find('\n', from); at != input.npos; at = input.find('\n', at + 1)) {
    const std::string_view next = input.substr(at + 1, 2);
    if (next.substr(0, 1) == "\n") return at + 2;
    if (next == kLineEnd) return at + 3;
  }
  return input.npos;
}

bool first_line_too_long(std::string_view input) {
  return input.size() > kLineBytes && input.substr(0, kLineBytes).find('\n') == input.npos;
}

// Takes a line without its end; no value unless it ends with CR LF.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find_first_of(std::string_view("\r\n\0", 3));
  if (end == text.npos || text.substr(end, 2) != kLineEnd) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + kLineEnd.size());
  return line;
}

// "/path" for "http://host/path"
std::string origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t path = target.find_first_of("/?#", scheme.size());
    if (path == target.npos) return "/";
    return (target[path] == '/' ? "" : "/") + std::string(target.substr(path));
  }
  return std::string(target);
}

bool read_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == line.npos || last == first) return false;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_header_name(method)) return false;  // methods are tokens like header names
  if (target.empty() || target.find(' ') != target.npos) return false;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  const bool served = method == "GET" || method == "HEAD" || method == "POST";
  head.method = served ? method : "PATCH";
  head.target = origin_form(target);
  head.text = head.method + ' ' + head.target + ' ' + std::string(version) + "\r\n";
  return true;
}

// The status of the refusal, or 0.
int read_head(std::string_view text, RequestHead& head) {
  const auto request_line = take_line(text);
  if (!request_line || !read_request_line(*request_line, head)) return 400;
  for (;;) {
    const auto line = take_line(text);
    if (!line) return 400;
    const std::size_t colon = line->find(':');
    if (line->size() + kLineEnd.size() > kLineBytes) return 431;
    if (!line->empty() && (colon == line->npos || line->front() == ' ' || line->front() == '\t')) {
      return 400;  // also a folded line, which a proxy might join with the line before
    }
    // Ranges are ignored, valid or not.
    if (equals_ignoring_case(line->substr(0, colon), "Range")) continue;
    head.text.append(*line).append(kLineEnd);
    if (line->empty()) return 0;
  }
}

}  // namespace

bool head_is_complete(std::string_view input, std::size_t seen) {
  const std::size_t begin = head_begin(input);
  const std::size_t from = std::max(begin, seen - std::min<std::size_t>(seen, 3));
  return input.size() - begin > kHeadBytes || first_line_too_long(input.substr(begin)) ||
         head_end(input, from) != input.npos;
}

RequestHead take_head(std::string& input) {
  input.erase(0, head_begin(input));
  RequestHead head;
  const std::size_t end = head_end(input, 0);
  if (first_line_too_long(input)) {
    head.refusal = 414;
  } else if (end > kHeadBytes) {
    head.refusal = 431;
  } else {
    head.refusal = read_head(std::string_view(input).substr(0, end), head);
  }
  if (head.refusal == 0) {
    input.erase(0, end);
  } else {
    head.text = kRefusedHead;
    input.clear();
  }
  return head;
}

}  // namespace imgpress::gateway
