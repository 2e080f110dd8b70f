// Identifies the format of a file by its first bytes. Content-Type and file names are often wrong;
// the first bytes rarely are.
#pragma once

#include "core/text/bytes.hpp"
#include "press/codec/format_table.hpp"

namespace imgpress::press {

// Throws FaultError: kUnsupportedImage for image formats that the codec does not read, kNotAnImage
// for everything else. The message says what the file seems to be.
const ReadableFormat& identify_image(ByteView bytes);

}  // namespace imgpress::press
