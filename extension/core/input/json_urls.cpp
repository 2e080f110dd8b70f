#include "core/input/json_urls.hpp"

#include <array>

#include "core/input/quoted_string.hpp"
#include "core/input/url_list.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

constexpr std::array<std::string_view, 3> kUrlFields = {"url", "src", "href"};
constexpr ByteSet kWordEnds(",:[]{}\"' \t\r\n");

// What a value holds: a text, or nothing; `given` if it is one of the two.
struct TextOrNull {
  bool given = false;
  std::string text;
};

class JsonReader {
 public:
  JsonReader(std::string_view json, WorkMeter& meter, std::vector<std::string>& urls)
      : json_(json), meter_(meter), urls_(urls) {}

  // Returns the fault, or an empty string.
  std::string read() {
    if (peek() == '[') {
      read_array();
    } else {
      read_element();
    }
    if (fault_.empty() && peek() != '\0') fail_to_read();
    return std::move(fault_);
  }

 private:
  // The next byte that is no blank; '\0' at the end.
  char peek() {
    at_ = skip_blanks(json_, at_, meter_);
    return at_ < json_.size() ? json_[at_] : '\0';
  }

  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  void fail(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
  }

  void fail_to_read() { fail("this JSON cannot be read: " + quote_shortened(json_)); }

  void fail_in_element(const char* what) {
    const std::string which =
        element_ == 0 ? "the JSON value " : "element " + std::to_string(element_) + ' ';
    fail(which + what);
  }

  void read_array() {
    take('[');
    if (take(']')) return;
    do {
      ++element_;
      read_element();
    } while (fault_.empty() && take(','));
    element_ = 0;
    if (fault_.empty() && !take(']')) fail_to_read();
  }

  void read_element() {
    const char c = peek();
    if (c == '{') return read_object();
    if (c == '[') return fail_in_element("is a list of its own: write all URLs into one list");
    const TextOrNull value = read_value();
    if (!fault_.empty()) return;
    if (!value.given)
      return fail_in_element("is neither a URL nor an object with url, src or href");
    add(value.text);
  }

  void read_object() {
    std::array<TextOrNull, kUrlFields.size()> fields;
    take('{');
    if (!take('}')) {
      do {
        read_member(fields);
      } while (fault_.empty() && take(','));
      if (fault_.empty() && !take('}')) fail_to_read();
    }
    if (!fault_.empty()) return;
    const TextOrNull* found = nullptr;
    for (const TextOrNull& field : fields) {
      if (!field.given) continue;
      if (found == nullptr || found->text.empty()) found = &field;
    }
    if (found == nullptr) return fail_in_element("has none of the fields url, src and href");
    add(found->text);
  }

  void read_member(std::array<TextOrNull, kUrlFields.size()>& fields) {
    const char quote = peek();
    std::string name;
    if ((quote != '"' && quote != '\'') || !read_string(name) || !take(':')) return fail_to_read();
    for (std::size_t i = 0; i < kUrlFields.size(); ++i) {
      if (name != kUrlFields[i]) continue;
      const char c = peek();
      if (c != '{' && c != '[') fields[i] = read_value();
      if (fault_.empty() && !fields[i].given)
        fail_in_element("has a url, src or href that is no text");
      return;
    }
    skip_value();
  }

  // Reads a value that is neither an array nor an object.
  TextOrNull read_value() {
    TextOrNull value;
    const char c = peek();
    if (c == '"' || c == '\'') {
      value.given = read_string(value.text);
      if (!value.given) fail_to_read();
      return value;
    }
    const std::string_view word = read_word();
    if (word.empty()) fail_to_read();
    value.given = word == "null" || word == "None";
    return value;
  }

  // Also one that holds others, however deep.
  void skip_value() {
    std::size_t depth = 0;
    do {
      const char c = peek();
      std::string ignored;
      if (c == '[' || c == '{') {
        ++depth, ++at_;
      } else if (depth > 0 && (c == ']' || c == '}')) {
        --depth, ++at_;
      } else if (depth > 0 && (c == ',' || c == ':')) {
        ++at_;
      } else if (c == '"' || c == '\'' ? !read_string(ignored) : read_word().empty()) {
        return fail_to_read();
      }
    } while (depth > 0);
  }

  bool read_string(std::string& text) {
    at_ = read_quoted_string(json_, at_, Escapes::kJson, text, meter_);
    if (at_ != std::string_view::npos) return true;
    at_ = json_.size();
    return false;
  }

  // A number, true, false or null.
  std::string_view read_word() {
    const std::size_t begin = at_;
    at_ = find_any(json_, at_, kWordEnds, meter_);
    return json_.substr(begin, at_ - begin);
  }

  void add(std::string_view url) { fail(append_url(trim_blanks(url, meter_), urls_)); }

  std::string_view json_;
  WorkMeter& meter_;
  std::vector<std::string>& urls_;
  std::string fault_;
  std::size_t at_ = 0;
  std::size_t element_ = 0;  // of the array, from 1; 0 outside of it
};

}  // namespace

std::string read_json_urls(std::string_view json, WorkMeter& meter,
                           std::vector<std::string>& urls) {
  return JsonReader(json, meter, urls).read();
}

bool begins_like_json_objects(std::string_view text, WorkMeter& meter) {
  std::size_t at = skip_blanks(text, 0, meter);
  if (at < text.size() && text[at] == '[') {
    at = skip_blanks(text, at + 1, meter);
    return at < text.size() && text[at] == '{';
  }
  if (at == text.size() || text[at] != '{') return false;
  at = skip_blanks(text, at + 1, meter);
  if (at == text.size() || (text[at] != '"' && text[at] != '\'')) return false;
  std::string name;
  at = read_quoted_string(text, at, Escapes::kJson, name, meter);
  if (at == std::string_view::npos) return false;
  at = skip_blanks(text, at, meter);
  return at < text.size() && text[at] == ':';  // an array of PostgreSQL has a comma or brace there
}

}  // namespace imgpress
