// What the compressors of all formats share: which file becomes the result, the new JPEG or the
// source.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"
#include "press/codec/pixel_image.hpp"

namespace imgpress::press {

// Takes `encoded` if it is smaller than `stripped` (the source without its metadata), else the
// smaller of `stripped` and the source. `format`: the source's.
CodecResult choose_smaller(std::optional<std::vector<std::uint8_t>> encoded, ByteView source,
                           std::vector<std::uint8_t> stripped, ImageFormat format);

// Encodes the decoded image, and chooses as above.
CodecResult compress_pixels(const PixelImage& image, ByteView source,
                            std::vector<std::uint8_t> stripped, ImageFormat format,
                            const CodecOptions& options);

}  // namespace imgpress::press
