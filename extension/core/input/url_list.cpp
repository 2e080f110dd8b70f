#include "core/input/url_list.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "core/input/json_urls.hpp"
#include "core/input/quoted_string.hpp"
#include "core/net/url.hpp"
#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

// The first bytes of separators: ASCII ones, and those of blanks outside ASCII.
constexpr ByteSet kSeparatorStarts(",;| \t\n\v\f\r\xC2\xE1\xE2\xE3\xEF");

// A pair of marks around a single URL.
struct Wrapping {
  std::string_view before;
  std::string_view after;
};
constexpr std::array<Wrapping, 6> kWrappings = {{{"<", ">"},
                                                 {"\"\"", "\"\""},
                                                 {"\"", "\""},
                                                 {"'", "'"},
                                                 {"\xE2\x80\x9C", "\xE2\x80\x9D"},
                                                 {"\xE2\x80\x98", "\xE2\x80\x99"}}};

// The wrapping in front of a URL, or nullptr.
const Wrapping* wrapping_at(std::string_view text) {
  for (const Wrapping& wrapping : kWrappings) {
    if (starts_with(text, wrapping.before) && has_scheme(text.substr(wrapping.before.size()))) {
      return &wrapping;
    }
  }
  return nullptr;
}

std::size_t separator_length(std::string_view text) {
  if (!text.empty() && std::string_view(",;|").find(text[0]) != std::string_view::npos) return 1;
  return blank_length(text);
}

std::size_t skip_separators(std::string_view text, std::size_t from, WorkMeter& meter) {
  return skip(text, from, separator_length, meter);
}

// Collects the elements of a list; a fault if there are too many, or one is too long.
class Elements {
 public:
  Elements(WorkMeter& meter, std::vector<std::string>& urls) : meter_(meter), urls_(urls) {}

  void add(std::string_view element) {
    element = trim_blanks(element, meter_);
    if (const Wrapping* wrapping = wrapping_at(element)) {
      element.remove_prefix(wrapping->before.size());
      if (ends_with(element, wrapping->after)) element.remove_suffix(wrapping->after.size());
      element = trim_blanks(element, meter_);
    }
    // A quotation mark is never the end of a URL: it closes the list, or was opened elsewhere.
    while (has_scheme(element) && element.back() == '"') element.remove_suffix(1);
    if (!element.empty()) append(element);
  }

  // Also of an empty element, to keep its place.
  void append(std::string_view element) {
    if (fault_.empty()) fault_ = append_url(element, urls_);
  }

  const std::string& fault() const { return fault_; }

 private:
  WorkMeter& meter_;
  std::vector<std::string>& urls_;
  std::string fault_;
};

void split_plain_list(std::string_view list, WorkMeter& meter, Elements& elements) {
  std::size_t begin = skip_separators(list, 0, meter);
  std::size_t i = begin;
  while (i < list.size()) {
    const std::size_t end = find_any(list, i, kSeparatorStarts, meter);
    const std::size_t next = skip_separators(list, end, meter);
    const std::string_view rest = list.substr(next);
    if (next == list.size() || (next > end && (has_scheme(rest) || wrapping_at(rest) != nullptr))) {
      elements.add(list.substr(begin, end - begin));
      begin = next;
    }
    i = next > end ? next : end + 1;
  }
}

// Reads an array in braces (PostgreSQL) or brackets (JSON, Python). REQUIRES: `text` begins with
// one.
class ArrayText {
 public:
  ArrayText(std::string_view text, WorkMeter& meter, Elements& elements)
      : text_(text),
        meter_(meter),
        elements_(elements),
        is_json_(text.front() == '['),
        unquoted_end_(is_json_ ? ",[]" : ",{}") {}

  // False if the text is not an array.
  bool read() {
    do {
      at_ = skip(at_);
      if (at_ >= text_.size() || !read_one()) return false;
    } while (depth_ > 0);
    return skip(at_) == text_.size();
  }

 private:
  // Skips what is between elements. PostgreSQL puts only ASCII blanks in quotation marks: another
  // one is an element.
  std::size_t skip(std::size_t at) {
    if (is_json_) return skip_blanks(text_, at, meter_);
    return std::min(text_.find_first_not_of(" \t\r\n\v\f", at), text_.size());
  }

  bool read_one() {
    const char c = text_[at_];
    if (c == (is_json_ ? '[' : '{')) return ++depth_, ++at_, true;
    if (c == (is_json_ ? ']' : '}')) return --depth_, ++at_, true;
    if (c == ',') return ++at_, true;
    if (c == '"' || (is_json_ && c == '\'')) return read_string();
    return read_unquoted();
  }

  bool read_string() {
    std::string element;
    at_ = read_quoted_string(text_, at_, is_json_ ? Escapes::kJson : Escapes::kPlain, element,
                             meter_);
    if (at_ == std::string_view::npos) return false;
    add(element);
    at_ = skip(at_);
    return at_ < text_.size() && unquoted_end_.has(text_[at_]);
  }

  bool read_unquoted() {
    const std::size_t begin = at_;
    at_ = find_any(text_, at_, unquoted_end_, meter_);
    const std::string_view element = trim_blanks(text_.substr(begin, at_ - begin), meter_);
    const bool is_null = element == "NULL" || element == "null" || element == "None";
    if (!is_null && is_json_) return false;
    add(is_null ? std::string_view() : element);
    return true;
  }

  // An empty element of a PostgreSQL array keeps its place, so that results line up with the array.
  void add(std::string_view element) {
    if (!is_json_ && trim_blanks(element, meter_).empty()) {
      elements_.append({});
    } else {
      elements_.add(element);
    }
  }

  std::string_view text_;
  WorkMeter& meter_;
  Elements& elements_;
  bool is_json_;
  ByteSet unquoted_end_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// "{a,b}" for "[0:1]={a,b}", PostgreSQL's form of an array whose indexes do not begin at 1.
std::string_view without_bounds(std::string_view text) {
  const std::size_t brace = text.substr(0, 100).find('{');
  if (brace == 0 || brace == std::string_view::npos || text[brace - 1] != '=') return text;
  const bool bounds =
      text.substr(0, brace - 1).find_first_not_of("[]:-0123456789") == std::string_view::npos;
  return bounds ? text.substr(brace) : text;
}

// True for what databases, spreadsheets and people write into an empty cell.
bool is_empty_marker(std::string_view cell) {
  constexpr std::array<std::string_view, 9> kWords = {"null", "\\n",  "none", "nil", "nan",
                                                      "n/a",  "#n/a", "-",    "--"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return equals_ignoring_case(cell, word); });
}

}  // namespace

std::string append_url(std::string_view url, std::vector<std::string>& urls) {
  if (url.size() > kMaxUrlBytes) {
    return "the URL " + quote_shortened(url) + " is longer than " + std::to_string(kMaxUrlBytes) +
           " bytes";
  }
  if (urls.size() >= kMaxUrlsPerProduct) {
    return "more than " + std::to_string(kMaxUrlsPerProduct) +
           " image URLs: divide them among several products";
  }
  urls.emplace_back(url);
  return {};
}

std::string read_url_list(std::string_view cell, WorkMeter& meter, std::vector<std::string>& urls) {
  const std::string_view text = without_bounds(trim_blanks(cell, meter));
  Elements elements(meter, urls);
  if (text.empty() || is_empty_marker(text)) return {};
  if (begins_like_json_objects(text, meter)) return read_json_urls(text, meter, urls);
  const bool in_brackets = text.front() == '[';
  if (in_brackets && text.back() == ']' && has_scheme(text.substr(skip_blanks(text, 1, meter)))) {
    split_plain_list(text.substr(1, text.size() - 2), meter, elements);
  } else if (in_brackets || text.front() == '{') {
    if (!ArrayText(text, meter, elements).read() && elements.fault().empty()) {
      return "this list of URLs cannot be read: " + quote_shortened(text) +
             "; write it as http://...,http://... or as an array: [\"http://...\"] or "
             "{http://...}";
    }
  } else {
    split_plain_list(text, meter, elements);
  }
  return elements.fault();
}

bool begins_like_urls(std::string_view cell, WorkMeter& meter) {
  const std::string_view text = cell.substr(skip_separators(cell, 0, meter));
  return !text.empty() && (text.front() == '[' || text.front() == '{' || has_scheme(text) ||
                           wrapping_at(text) != nullptr);
}

}  // namespace imgpress
