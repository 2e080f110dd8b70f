// JPEG to JPEG without decoding to pixels: the coefficients are read, requantised and written
// again. That is faster than decoding and encoding, and loses nothing but what the coarser steps
// take.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "press/codec/codec.hpp"
#include "press/codec/image_metadata.hpp"
#include "press/jpeg/libjpeg_guard.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"

namespace imgpress::press {

// False for images that get smaller by way of pixels: colours stored as RGB (which become YCbCr),
// and chroma of an unusual resolution (which becomes 4:2:0). Needs the header only.
bool can_transcode(const jpeg_decompress_struct& header);

// std::nullopt when the result would not be smaller than `size_limit` bytes. The header must have
// been read.
std::optional<std::vector<std::uint8_t>> transcode_jpeg(LibjpegGuard& guard,
                                                        LibjpegDecoder& decoder,
                                                        const CodecOptions& options,
                                                        const ImageMetadata& metadata,
                                                        std::size_t size_limit);

}  // namespace imgpress::press
