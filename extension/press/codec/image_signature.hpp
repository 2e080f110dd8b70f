// What kind of file the bytes are, judged by how they start. Content-Type and file names lie; the
// first bytes rarely do.
#pragma once

#include "core/text/bytes.hpp"
#include "core/rules/formats.hpp"

namespace imgpress::press {

// Throws FaultError: kUnsupportedImage for image formats that imgpress does not read, kNotAnImage
// for everything else, both naming what the bytes seem to be.
ImageFormat identify_image(ByteView bytes);

}  // namespace imgpress::press
