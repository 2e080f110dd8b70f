// The codec proper: one image in, one image out, in memory. No processes, no sockets: the codec
// role of imgpress-press, the unit tests, the fuzzers and the benchmarks all call this one
// function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/text/bytes.hpp"
#include "core/rules/effort.hpp"
#include "core/wire/wire.hpp"

namespace imgpress::press {

struct CodecOptions {
  int quality = 50;  // 1 to 100, the IJG scale
  Effort effort = Effort::kBalanced;
  std::uint64_t max_pixels = 0;  // width x height; larger images throw Fault::kTooManyPixels

  // A JPEG file that ends too early is damaged. With this it succeeds, with a warning, as long as
  // it shows at least four fifths of its rows (or, of a progressive one, the shapes of all).
  bool accept_truncated = false;
};

struct CodecResult {
  std::vector<std::uint8_t> bytes;  // never more than the source's
  wire::ImageFormat format = wire::ImageFormat::kJpeg;
  bool kept_source = false;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::string warning;  // empty, or what is remarkable about a success
};

// Throws FaultError for every foreseen reason; std::bad_alloc when memory runs out.
CodecResult compress(ByteView source, const CodecOptions& options);

}  // namespace imgpress::press
