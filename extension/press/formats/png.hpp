// PNG files. Gamma is ignored: like most viewers, the codec takes samples as they are stored. An
// ICC profile is passed on.
#pragma once

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"

namespace imgpress::press {

// As compress() in codec.hpp.
CodecResult compress_png(ByteView source, const CodecOptions& options);

}  // namespace imgpress::press
