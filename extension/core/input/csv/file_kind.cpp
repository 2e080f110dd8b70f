#include "core/input/csv/file_kind.hpp"

#include <algorithm>
#include <string>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view start;
  std::size_t at;          // offset of `bytes`
  std::string_view bytes;  // further bytes, or none
  const char* kind;
};

constexpr Signature kSignatures[] = {
    {"\xFF\xD8\xFF"sv, 0, {}, "a JPEG image"},
    {"\x89PNG\r\n\x1A\n"sv, 0, {}, "a PNG image"},
    {"GIF8"sv, 5, "a"sv, "a GIF image"},
    {"RIFF"sv, 8, "WEBP"sv, "a WebP image"},
    {"II*\0"sv, 0, {}, "a TIFF image"},
    {"MM\0*"sv, 0, {}, "a TIFF image"},
    {"\0\0\0"sv, 4, "ftypavif"sv, "an AVIF image"},
    {"\0\0\0"sv, 4, "ftyphei"sv, "a HEIC image"},
    {"\0\0\0"sv, 4, "ftypmif1"sv, "a HEIC image"},
    {"\0\0\0"sv, 4, "ftyp"sv, "a video"},
    {"%PDF-"sv, 0, {}, "a PDF"},
    {"{\\rtf"sv, 0, {}, "a text document (RTF)"},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, 0, {}, "a spreadsheet (or another Office document)"},
    {"\x1F\x8B"sv, 0, {}, "an archive (gzip)"},
    {"BZh"sv, 4, "1AY&SY"sv, "an archive (bzip2)"},
    {"7z\xBC\xAF\x27\x1C"sv, 0, {}, "an archive (7z)"},
    {"Rar!\x1A\x07"sv, 0, {}, "an archive (RAR)"},
    {"\xFD"
     "7zXZ\0"sv,
     0,
     {},
     "an archive (xz)"},
    {"SQLite format 3\0"sv, 0, {}, "an SQLite database"},
    {"\x7F"
     "ELF"sv,
     0,
     {},
     "a program"},
};

// The beginning of a text, in lower case and without white space.
struct TextSignature {
  std::string_view start;
  const char* kind;
};

constexpr TextSignature kTexts[] = {
    {"<!doctypehtml", "HTML"},
    {"<html", "HTML"},
    {"<head", "HTML"},
    {"<body", "HTML"},
    {"<table", "HTML"},
    {"<svg", "SVG"},
    {"<?xml", "XML"},
    {"{\"", "JSON"},
    {"[{", "JSON"},
    {"insertinto", "SQL"},
    {"createtable", "SQL"},
    {"--postgresqldatabasedump", "SQL"},
    {"----postgresqldatabasedump", "SQL"},
    {"--mysqldump", "SQL"},
};

bool has_signature(std::string_view bytes, const Signature& signature) {
  return starts_with(bytes, signature.start) && bytes.size() >= signature.at &&
         starts_with(bytes.substr(signature.at), signature.bytes);
}

// Office documents are ZIP archives: the names of the files inside tell them apart.
const char* kind_of_zip(std::string_view bytes) {
  const std::string_view start = bytes.substr(0, 8192);
  const auto holds = [&](std::string_view name) {
    return start.find(name) != std::string_view::npos;
  };
  if (holds("word/") || holds("opendocument.text")) return "a text document";
  if (holds("ppt/")) return "a presentation";
  if (holds("xl/") || holds("opendocument.spreadsheet") || holds("[Content_Types].xml") ||
      holds("Index/")) {
    return "a spreadsheet";
  }
  return "a spreadsheet (or another archive)";
}

// The first characters in lower case, without white space and byte order mark.
std::string start_of_text(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 200)) {
    if (!is_space(c)) out += to_lower(c);
  }
  if (starts_with(out, "\xEF\xBB\xBF")) out.erase(0, 3);
  return out;
}

}  // namespace

const char* foreign_kind(std::string_view bytes) {
  if (starts_with(bytes, "PK\x03\x04")) return kind_of_zip(bytes);
  for (const Signature& signature : kSignatures) {
    if (has_signature(bytes, signature)) return signature.kind;
  }
  const std::string text = start_of_text(bytes);
  for (const TextSignature& signature : kTexts) {
    if (starts_with(text, signature.start)) return signature.kind;
  }
  return nullptr;
}

}  // namespace imgpress
