// What the compressors of all formats share: which file becomes the result, the new JPEG or the
// source.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"
#include "press/codec/pixel_image.hpp"

namespace imgpress::press {

// The smaller of `stripped` (the source without its metadata) and the source. `format`: the
// source's.
CodecResult keep_source(ByteView source, std::vector<std::uint8_t> stripped, ImageFormat format);

// Encodes the decoded image. Takes the result if it is smaller than the source without its
// metadata, else keeps the source. `strip` makes the latter; it is called when the image takes no
// memory any more.
CodecResult compress_pixels(PixelImage image, ByteView source,
                            const std::function<std::vector<std::uint8_t>()>& strip,
                            ImageFormat format, const CodecOptions& options);

}  // namespace imgpress::press
