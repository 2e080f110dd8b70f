#include "press/codec/image_signature.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>
#include <string_view>

#include "core/rules/fault.hpp"

namespace imgpress::press {
namespace {

using std::string_view_literals::operator""sv;

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* name;
};

// "an" and "a" are part of the names, since they end up in sentences.
constexpr Signature kUnsupportedFormats[] = {
    {0, "II*\0"sv, "a TIFF image"},
    {0, "MM\0*"sv, "a TIFF image"},
    {0, "II+\0"sv, "a BigTIFF image"},
    {0, "MM\0+"sv, "a BigTIFF image"},
    {4, "ftypavif"sv, "an AVIF image"},
    {4, "ftypavis"sv, "an AVIF image sequence"},
    {4, "ftypheic"sv, "a HEIC image"},
    {4, "ftypheix"sv, "a HEIC image"},
    {4, "ftyphevc"sv, "a HEIC image sequence"},
    {4, "ftypmif1"sv, "a HEIF image"},
    {4, "ftypmsf1"sv, "a HEIF image sequence"},
    {4, "ftypcrx "sv, "a Canon raw image"},
    {0, "\0\0\0\x0CJXL \r\n\x87\n"sv, "a JPEG XL image"},
    {0, "\xFF\x0A"sv, "a JPEG XL image"},
    {0, "\0\0\0\x0CjP  \r\n\x87\n"sv, "a JPEG 2000 image"},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 image"},
    {0, "8BPS"sv, "a Photoshop document"},
    {0, "\0\0\1\0"sv, "an icon (ICO)"},
    {0, "\0\0\2\0"sv, "a cursor (CUR)"},
    {0, "qoif"sv, "a QOI image"},
    {0, "DDS "sv, "a DDS texture"},
    {0, "\x76\x2F\x31\x01"sv, "an OpenEXR image"},
    {0, "#?RADIANCE"sv, "a Radiance HDR image"},
    {0, "FLIF"sv, "a FLIF image"},
};

constexpr Signature kOtherFiles[] = {
    {0, "%PDF-"sv, "a PDF document"},
    {0, "PK\3\4"sv, "a ZIP archive"},
    {0, "\x1F\x8B"sv, "gzip-compressed data"},
    {4, "ftyp"sv, "a video (ISO media)"},
    {0, "\x1A\x45\xDF\xA3"sv, "a video (Matroska or WebM)"},
};

// How far into a text the search for telling tags goes.
constexpr std::size_t kTextWindow = 1024;

bool has_signature(std::string_view file, const Signature& signature) {
  return file.size() >= signature.offset &&
         file.substr(signature.offset, signature.bytes.size()) == signature.bytes;
}

template <std::size_t N>
const char* find_name(std::string_view file, const Signature (&signatures)[N]) {
  for (const Signature& signature : signatures) {
    if (has_signature(file, signature)) return signature.name;
  }
  return nullptr;
}

// "BM" alone also starts English text; the header's size field settles it.
bool is_bmp(std::string_view file) {
  return file.size() >= 18 && file.substr(0, 2) == "BM" && file[14] >= 12 &&
         file.substr(15, 3) == "\0\0\0"sv;
}

bool is_netpbm(std::string_view file) {
  return file.size() >= 3 && file[0] == 'P' && file[1] >= '1' && file[1] <= '7' &&
         std::isspace(static_cast<unsigned char>(file[2])) != 0;
}

// The beginning of a text in lower case, without byte order mark and leading blanks; empty when the
// bytes are no text.
std::string text_beginning(std::string_view file) {
  if (file.substr(0, 3) == "\xEF\xBB\xBF") file.remove_prefix(3);
  std::string text;
  for (const char c : file.substr(0, kTextWindow)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool blank = std::isspace(byte) != 0;
    if (byte < 0x20 && !blank) return {};
    if (text.empty() && blank) continue;
    text.push_back(static_cast<char>(std::tolower(byte)));
  }
  return text;
}

const char* name_of_text(std::string_view text) {
  const auto starts = [text](std::string_view head) { return text.substr(0, head.size()) == head; };
  const auto contains = [text](std::string_view part) { return text.find(part) != text.npos; };
  if (starts("<!doctype html") || starts("<html") || starts("<head") || starts("<body") ||
      contains("<html")) {
    return "an HTML page";
  }
  if (starts("<")) return "an XML or HTML document";
  if (starts("{") || starts("[")) return "a JSON document";
  return "a text";
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
  if (const char* name = find_name(file, kOtherFiles)) {
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

ImageFormat identify_image(ByteView bytes) {
  const std::string_view file(reinterpret_cast<const char*>(bytes.data), bytes.size);
  if (file.substr(0, 2) == "\xFF\xD8") return ImageFormat::kJpeg;
  if (file.substr(0, 8) == "\x89PNG\r\n\x1A\n") return ImageFormat::kPng;
  if (file.substr(0, 6) == "GIF87a" || file.substr(0, 6) == "GIF89a") return ImageFormat::kGif;
  if (file.substr(0, 4) == "RIFF" && file.size() >= 12 && file.substr(8, 4) == "WEBP") {
    return ImageFormat::kWebp;
  }
  if (const char* name = find_name(file, kUnsupportedFormats)) refuse_unsupported(name);
  if (is_bmp(file)) refuse_unsupported("a BMP image");
  if (is_netpbm(file)) refuse_unsupported("a Netpbm image");
  refuse_other(file);
}

}  // namespace imgpress::press
