// WebP files: lossy, lossless, with alpha; of an animation the first frame on its canvas.
#pragma once

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"

namespace imgpress::press {

// As compress() in codec.hpp.
CodecResult compress_webp(ByteView source, const CodecOptions& options);

}  // namespace imgpress::press
