#include "press/codec/image_signature.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "core/rules/fault.hpp"
#include "core/text/ascii.hpp"

namespace imgpress::press {
namespace {

using namespace std::string_view_literals;

struct KnownFile {
  std::string_view signature;
  const char* name;  // with its article, as it stands in a sentence
};

constexpr KnownFile kOtherFiles[] = {
    {"%PDF-"sv, "a PDF document"},
    {"PK\3\4"sv, "a ZIP archive"},
    {"\x1F\x8B"sv, "gzip-compressed data"},
    {"....ftyp"sv, "a video (ISO media)"},
    {"\x1A\x45\xDF\xA3"sv, "a video (Matroska or WebM)"},
};

// How much of a text is searched for tags.
constexpr std::size_t kTextWindow = 1024;

const char* name_of_other_file(std::string_view file) {
  for (const KnownFile& other : kOtherFiles) {
    if (has_signature(file, other.signature)) return other.name;
  }
  return nullptr;
}

// The beginning of a text in lower case, without byte order mark and leading white space; empty if
// the bytes are no text.
std::string text_beginning(std::string_view file) {
  if (starts_with(file, "\xEF\xBB\xBF")) file.remove_prefix(3);
  std::string text;
  for (const char c : file.substr(0, kTextWindow)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool blank = is_space(c);
    if (byte < 0x20 && !blank) return {};
    if (text.empty() && blank) continue;
    text.push_back(to_lower(c));
  }
  return text;
}

const char* name_of_text(std::string_view text) {
  const auto starts = [text](std::string_view head) { return starts_with(text, head); };
  const auto contains = [text](std::string_view part) { return text.find(part) != text.npos; };
  if (starts("<!doctype html") || starts("<html") || starts("<head") || starts("<body") ||
      contains("<html")) {
    return "an HTML page";
  }
  if (starts("<")) return "an XML or HTML document";
  if (starts("{") || starts("[")) return "a JSON document";
  return "plain text";
}

bool is_svg(std::string_view text) {
  return !text.empty() && text[0] == '<' && text.find("<svg") != text.npos &&
         text.find("<html") == text.npos;
}

std::string hexadecimal(std::string_view bytes) {
  std::string digits;
  for (const char c : bytes) {
    char pair[4];
    std::snprintf(pair, sizeof pair, "%s%02x", digits.empty() ? "" : " ",
                  static_cast<unsigned char>(c));
    digits += pair;
  }
  return digits;
}

[[noreturn]] void refuse_unsupported(const std::string& name) {
  throw FaultError(Fault::kUnsupportedImage,
                   "the file is " + name + ", which imgpress cannot read");
}

[[noreturn]] void refuse_other(std::string_view file) {
  if (file.empty()) throw FaultError(Fault::kNotAnImage, "the file is empty");
  if (const char* name = name_of_other_file(file)) {
    throw FaultError(Fault::kNotAnImage, std::string("the file is ") + name + ", not an image");
  }
  const std::string text = text_beginning(file);
  if (is_svg(text)) refuse_unsupported("an SVG drawing");
  if (!text.empty()) {
    throw FaultError(Fault::kNotAnImage,
                     std::string("the file is ") + name_of_text(text) + ", not an image");
  }
  throw FaultError(Fault::kNotAnImage,
                   "the file is no image that imgpress knows (its first bytes are " +
                       hexadecimal(file.substr(0, 8)) + ")");
}

}  // namespace

const ReadableFormat& identify_image(ByteView bytes) {
  const std::string_view file(reinterpret_cast<const char*>(bytes.data), bytes.size);
  if (const ReadableFormat* format = find_readable_format(file)) return *format;
  if (const char* name = find_unreadable_format(file)) refuse_unsupported(name);
  refuse_other(file);
}

}  // namespace imgpress::press
