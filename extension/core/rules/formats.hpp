// The image formats that imgpress reads, each once. Everything else about a format is in
// press/codec/format_table.cpp: how its files begin and which function compresses them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace imgpress {

// Of an output: JPEG, or the source's own format where no JPEG would have been smaller.
enum class ImageFormat : std::uint8_t { kJpeg, kPng, kWebp, kGif };

struct FormatInfo {
  const char* name;        // as images.output_format has it
  const char* title;       // as people write it
  const char* media_type;  // IANA's
  // Of file names, dot included; the first one is what an output gets.
  std::array<std::string_view, 4> extensions;
};

// In the order of the numbers.
constexpr std::array kFormats = {
    FormatInfo{"jpeg", "JPEG", "image/jpeg", {".jpg", ".jpeg", ".jpe", ".jfif"}},
    FormatInfo{"png", "PNG", "image/png", {".png"}},
    FormatInfo{"webp", "WebP", "image/webp", {".webp"}},
    FormatInfo{"gif", "GIF", "image/gif", {".gif"}},
};

constexpr std::size_t count_of(ImageFormat) {
  return kFormats.size();
}

constexpr const FormatInfo& info_of(ImageFormat format) {
  return kFormats[static_cast<std::size_t>(format)];
}

// "Supported formats are JPEG, PNG, WebP and GIF.", put together by the compiler.
inline constexpr auto kSupportedFormats = [] {
  std::array<char, 256> sentence{};
  std::size_t size = 0;
  const auto append = [&](std::string_view text) {
    for (const char c : text) sentence[size++] = c;
  };
  append("Supported formats are ");
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    if (i > 0) append(i + 1 == kFormats.size() ? " and " : ", ");
    append(kFormats[i].title);
  }
  append(".");
  return sentence;
}();

}  // namespace imgpress
