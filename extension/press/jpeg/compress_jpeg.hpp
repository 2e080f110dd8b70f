// JPEG files: transcoded where possible, else decoded and encoded again.
#pragma once

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"

namespace imgpress::press {

// As compress() in codec.hpp.
CodecResult compress_jpeg(ByteView source, const CodecOptions& options);

}  // namespace imgpress::press
