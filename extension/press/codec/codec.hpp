// Compresses one image in memory. The codec role of imgpress-press, the unit tests, the fuzzers and
// the benchmarks all call this one function.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/text/bytes.hpp"
#include "core/rules/options.hpp"
#include "core/rules/formats.hpp"

namespace imgpress::press {

// Thrown before anything is decoded: the header says that the image is a large one.
struct LargeImage {};

struct PixelLimits {
  std::uint64_t max_pixels = 0;  // width x height; more throw Fault::kTooManyPixels
  std::uint64_t large_above = std::numeric_limits<std::uint64_t>::max();  // more throw LargeImage
};

struct CodecOptions : ImageOptions, PixelLimits {};

struct CodecResult {
  std::vector<std::uint8_t> bytes;  // never larger than the source
  ImageFormat format = ImageFormat::kJpeg;
  bool kept_source = false;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::string warning;  // for the user, about an image that succeeded; empty for none
};

// Throws FaultError when the image cannot be compressed, LargeImage, and std::bad_alloc when memory
// runs out.
CodecResult compress(ByteView source, const CodecOptions& options);

}  // namespace imgpress::press
