// GIF files: the first frame on its logical screen.
#pragma once

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"

namespace imgpress::press {

// As compress() in codec.hpp.
CodecResult compress_gif(ByteView source, const CodecOptions& options);

}  // namespace imgpress::press
