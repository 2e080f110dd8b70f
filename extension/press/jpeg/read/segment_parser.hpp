// The segments of a JPEG file: where its metadata is, and the file without it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/codec/image_metadata.hpp"

namespace imgpress::press {

// Views into the source; valid as long as it is.
struct JpegSegments {
  ByteView jfif;                 // whole segment with its marker; empty when there is none
  std::vector<ByteView> exif;    // payloads, "Exif\0\0" included, in file order
  std::vector<ByteView> icc;     // payloads of the ICC chunks, in file order
  ByteView whole_segments;       // the file without a segment at its end that is cut off
  std::vector<ByteView> needed;  // what decoding and colours need, in file order, without JFIF
  bool has_frame = false;
  bool has_scan = false;
};

// Takes the first picture of the file apart. Bytes between segments and after the end of the
// picture belong to nothing. Never fails: a malformed file has fewer parts. Safe on any bytes.
JpegSegments parse_segments(ByteView source);

// Orientation of the first EXIF segment that has one; the ICC profile unless chunks are missing.
ImageMetadata read_metadata(const JpegSegments& segments);

// The file without metadata but for the orientation.
std::vector<std::uint8_t> strip_jpeg(const JpegSegments& segments, int orientation);

}  // namespace imgpress::press
