// JPEG to JPEG without pixels: the coefficients are read, requantised and written again. Faster
// than decoding and encoding, and nothing is lost but what the coarser steps take.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "press/codec/codec.hpp"
#include "press/codec/image_metadata.hpp"
#include "press/jpeg/libjpeg_guard.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"

namespace imgpress::press {

// False for colours stored as red, green and blue, and for chroma of unusual resolution: in pixels
// there is something to gain that coefficients do not show. Needs the header alone.
bool can_transcode(const jpeg_decompress_struct& header);

// Nothing when the result would not be smaller than `size_limit` bytes. The header must have been
// read.
std::optional<std::vector<std::uint8_t>> transcode_jpeg(LibjpegGuard& guard,
                                                        LibjpegDecoder& decoder,
                                                        const CodecOptions& options,
                                                        const ImageMetadata& metadata,
                                                        std::size_t size_limit);

}  // namespace imgpress::press
