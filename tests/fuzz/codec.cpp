// The codec, one target for each format: all that a stranger's image goes through in a press.
#include <cstdlib>
#include <string>

#include "core/rules/fault.hpp"
#include "press/codec/codec.hpp"
#include "press/codec/image_signature.hpp"
#include "target.hpp"

namespace imgpress::fuzz {
namespace {

// Enough for every way through the codec; larger images only take longer.
constexpr std::uint64_t kMostPixels = 256UL * 1024;

// The first two bytes choose the options.
press::CodecOptions take_options(ByteView& input) {
  press::CodecOptions options;
  options.quality = 1 + take_byte(input) % 100;
  const std::uint8_t choice = take_byte(input);
  options.effort = static_cast<Effort>(choice % kEffortNames.size());
  options.accept_truncated = choice >= 128;
  options.max_pixels = kMostPixels;
  return options;
}

bool is(ByteView image, ImageFormat format) {
  try {
    return press::identify_image(image).format == format;
  } catch (const FaultError&) {
    return false;
  }
}

// "the JPEG file is truncated: it shows 93 % of the picture"
void check_warning(const std::string& warning) {
  constexpr std::string_view kShows = "it shows ";
  const std::size_t found = warning.find(kShows);
  if (found == std::string::npos) return;
  const int percent = std::atoi(warning.c_str() + found + kShows.size());
  require(percent >= 80, "a truncated image shows most of its picture");
}

void compress(ByteView input, ImageFormat format) {
  press::CodecOptions options = take_options(input);
  if (!is(input, format)) return;
  press::CodecResult result;
  try {
    result = press::compress(input, options);
  } catch (const FaultError&) {
    return;
  }
  require(!result.bytes.empty() && result.bytes.size() <= input.size, "not larger than the source");
  require(std::uint64_t{result.width} * result.height <= kMostPixels, "not too many pixels");
  const ByteView output{result.bytes.data(), result.bytes.size()};
  require(is(output, result.format), "the output has the format that is told");
  check_warning(result.warning);
  if (options.accept_truncated) return;
  options.effort = Effort::kFast;
  press::compress(output, options);  // throws if the output is damaged
}

}  // namespace

IMGPRESS_FUZZ_TARGET(codec_jpeg) {
  compress(input, ImageFormat::kJpeg);
}
IMGPRESS_FUZZ_TARGET(codec_png) {
  compress(input, ImageFormat::kPng);
}
IMGPRESS_FUZZ_TARGET(codec_webp) {
  compress(input, ImageFormat::kWebp);
}
IMGPRESS_FUZZ_TARGET(codec_gif) {
  compress(input, ImageFormat::kGif);
}

}  // namespace imgpress::fuzz
