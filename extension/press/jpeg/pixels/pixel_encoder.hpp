// Pixels to JPEG: from a decoded image, or row by row from a JPEG that cannot be transcoded.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "press/codec/codec.hpp"
#include "press/jpeg/libjpeg_guard.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/codec/pixel_image.hpp"

namespace imgpress::press {

// Both make 4:2:0 or greyscale, and return std::nullopt when the result would not be smaller than
// `size_limit` bytes.
std::optional<std::vector<std::uint8_t>> encode_pixels(PixelImage image,
                                                       const CodecOptions& options,
                                                       std::size_t size_limit);

// The source must have three colour components, and its header must have been read.
std::optional<std::vector<std::uint8_t>> reencode_jpeg(LibjpegGuard& guard, LibjpegDecoder& decoder,
                                                       const CodecOptions& options,
                                                       const ImageMetadata& metadata,
                                                       std::size_t size_limit);

}  // namespace imgpress::press
