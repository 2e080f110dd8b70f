// Splits a JPEG file into its segments, reads its metadata, and writes the file without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/codec/image_metadata.hpp"

namespace imgpress::press {

// Views into the source; valid as long as it is.
struct JpegSegments {
  ByteView jfif;                 // the JFIF segment with its marker; empty when there is none
  std::vector<ByteView> exif;    // payloads, "Exif\0\0" included, in file order
  std::vector<ByteView> icc;     // payloads of the ICC chunks, in file order
  ByteView whole_segments;       // the file up to a segment that is cut off at its end
  std::vector<ByteView> needed;  // all that decoding and colours need, in file order, without JFIF
  bool has_frame = false;
  bool is_lossless = false;  // another kind of file altogether, for medical pictures
  bool has_scan = false;
};

// Where the entropy-coded data ends that begins at offset `from`: at the first marker that is no
// restart marker, or at the end of `bytes`.
std::size_t end_of_scan_data(ByteView bytes, std::size_t from);

// Parses the first image of the file. Bytes between segments and after the end of the image are
// dropped. Never fails: a malformed file has fewer segments. Safe on any bytes.
JpegSegments parse_segments(ByteView source);

// The orientation is that of the first EXIF segment that has one. There is no ICC profile if one of
// its chunks is missing.
ImageMetadata read_metadata(const JpegSegments& segments);

// The file without metadata, except for the orientation; and its size.
std::vector<std::uint8_t> strip_jpeg(const JpegSegments& segments, int orientation);
std::size_t stripped_size(const JpegSegments& segments, int orientation);

}  // namespace imgpress::press
