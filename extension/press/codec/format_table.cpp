#include "press/codec/format_table.hpp"

#include <algorithm>

#include "core/text/ascii.hpp"
#include "press/formats/gif.hpp"
#include "press/formats/png.hpp"
#include "press/formats/webp.hpp"
#include "press/jpeg/compress_jpeg.hpp"

namespace imgpress::press {
namespace {

using namespace std::string_view_literals;

constexpr ReadableFormat kReadable[] = {
    {ImageFormat::kJpeg, "\xFF\xD8"sv, compress_jpeg},
    {ImageFormat::kPng, "\x89PNG\r\n\x1A\n"sv, compress_png},
    {ImageFormat::kWebp, "RIFF....WEBP"sv, compress_webp},
    {ImageFormat::kGif, "GIF87a"sv, compress_gif},
    {ImageFormat::kGif, "GIF89a"sv, compress_gif},
};

struct UnreadableFormat {
  std::string_view signature;
  const char* name;
};

constexpr UnreadableFormat kUnreadable[] = {
    {"II*\0"sv, "a TIFF image"},
    {"MM\0*"sv, "a TIFF image"},
    {"II+\0"sv, "a BigTIFF image"},
    {"MM\0+"sv, "a BigTIFF image"},
    {"....ftypavif"sv, "an AVIF image"},
    {"....ftypavis"sv, "an AVIF image sequence"},
    {"....ftypheic"sv, "a HEIC image"},
    {"....ftypheix"sv, "a HEIC image"},
    {"....ftyphevc"sv, "a HEIC image sequence"},
    {"....ftypmif1"sv, "a HEIF image"},
    {"....ftypmsf1"sv, "a HEIF image sequence"},
    {"....ftypcrx "sv, "a Canon raw image"},
    {"\0\0\0\x0CJXL \r\n\x87\n"sv, "a JPEG XL image"},
    {"\xFF\x0A"sv, "a JPEG XL image"},
    {"\0\0\0\x0CjP  \r\n\x87\n"sv, "a JPEG 2000 image"},
    {"\xFF\x4F\xFF\x51"sv, "a JPEG 2000 image"},
    {"8BPS"sv, "a Photoshop document"},
    {"\0\0\1\0"sv, "an icon (ICO)"},
    {"\0\0\2\0"sv, "a cursor (CUR)"},
    {"qoif"sv, "a QOI image"},
    {"DDS "sv, "a DDS texture"},
    {"\x76\x2F\x31\x01"sv, "an OpenEXR image"},
    {"#?RADIANCE"sv, "a Radiance HDR image"},
    {"FLIF"sv, "a FLIF image"},
};

// Text may also start with "BM", so the size of the header is checked as well.
bool is_bmp(std::string_view file) {
  return file.size() >= 18 && file.substr(0, 2) == "BM" && file[14] >= 12 &&
         file.substr(15, 3) == "\0\0\0"sv;
}

bool is_netpbm(std::string_view file) {
  return file.size() >= 3 && file[0] == 'P' && file[1] >= '1' && file[1] <= '7' &&
         is_space(file[2]);
}

}  // namespace

bool has_signature(std::string_view file, std::string_view signature) {
  return file.size() >= signature.size() &&
         std::equal(
             signature.begin(), signature.end(), file.begin(),
             [](char expected, char actual) { return expected == '.' || expected == actual; });
}

const ReadableFormat* find_readable_format(std::string_view file) {
  for (const ReadableFormat& format : kReadable) {
    if (has_signature(file, format.signature)) return &format;
  }
  return nullptr;
}

const char* find_unreadable_format(std::string_view file) {
  for (const UnreadableFormat& format : kUnreadable) {
    if (has_signature(file, format.signature)) return format.name;
  }
  if (is_bmp(file)) return "a BMP image";
  if (is_netpbm(file)) return "a Netpbm image";
  return nullptr;
}

}  // namespace imgpress::press
