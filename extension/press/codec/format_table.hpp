// The image formats that the codec reads, and those that it only knows by name.
#pragma once

#include <string_view>

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"

namespace imgpress::press {

struct ReadableFormat {
  ImageFormat format;
  std::string_view signature;  // see has_signature
  CodecResult (*compress)(ByteView source, const CodecOptions& options);
};

// True if the file starts with `signature`, in which a dot stands for any byte.
bool has_signature(std::string_view file, std::string_view signature);

// nullptr if the file is of none of these formats.
const ReadableFormat* find_readable_format(std::string_view file);

// The name of an image format that the codec does not read, with its article, as it stands in a
// sentence ("a TIFF image"); nullptr if the file is of none of these formats either.
const char* find_unreadable_format(std::string_view file);

}  // namespace imgpress::press
