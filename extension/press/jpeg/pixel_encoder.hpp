// Pixels to JPEG: of a decoded picture, or row by row of a JPEG whose coefficients cannot be used.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "press/codec/codec.hpp"
#include "press/jpeg/libjpeg_guard.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/codec/pixel_image.hpp"

namespace imgpress::press {

// Both: 4:2:0 (or grey), nothing when the result would not be smaller than `size_limit` bytes.
std::optional<std::vector<std::uint8_t>> encode_pixels(const PixelImage& image,
                                                       const CodecOptions& options,
                                                       std::size_t size_limit);

// For three colour components. The header must have been read.
std::optional<std::vector<std::uint8_t>> reencode_jpeg(LibjpegGuard& guard, LibjpegDecoder& decoder,
                                                       const CodecOptions& options,
                                                       const ImageMetadata& metadata,
                                                       std::size_t size_limit);

}  // namespace imgpress::press
