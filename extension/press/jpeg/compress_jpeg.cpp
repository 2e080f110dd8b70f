#include "press/jpeg/compress_jpeg.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "press/codec/choose_output.hpp"
#include "press/jpeg/pixels/pixel_encoder.hpp"
#include "press/jpeg/read/segment_parser.hpp"
#include "press/jpeg/transcoder.hpp"

namespace imgpress::press {
namespace {

// A file that only decoders can make sense of is not stripped.
bool can_strip(const JpegSegments& segments) {
  return segments.has_frame && segments.has_scan;
}

std::vector<std::uint8_t> strip(ByteView source, const JpegSegments& segments, int orientation) {
  if (can_strip(segments)) return strip_jpeg(segments, orientation);
  return std::vector<std::uint8_t>(source.data, source.data + source.size);
}

}  // namespace

CodecResult compress_jpeg(ByteView source, const CodecOptions& options) {
  LibjpegGuard guard;
  if (options.accept_truncated) guard.accept_truncation();
  LibjpegDecoder decoder(guard);
  const JpegSegments segments = parse_segments(source);
  // libjpeg-turbo reads these since version 3, but not as coefficients.
  if (segments.is_lossless) {
    throw FaultError(Fault::kUnsupportedImage, "JPEG file: it is a lossless one");
  }
  decoder.read_header(options.accept_truncated ? segments.whole_segments : source, options);
  const ImageMetadata metadata = read_metadata(segments);
  const auto convert = can_transcode(decoder.state()) ? transcode_jpeg : reencode_jpeg;
  const int orientation = metadata.orientation;
  const std::size_t smallest = can_strip(segments)
                                   ? std::min(source.size, stripped_size(segments, orientation))
                                   : source.size;
  auto converted = convert(guard, decoder, options, metadata, smallest);
  CodecResult result;
  if (converted) {
    result.bytes = std::move(*converted);
  } else {
    result = keep_source(source, strip(source, segments, orientation), ImageFormat::kJpeg);
  }
  result.width = decoder.state().image_width;
  result.height = decoder.state().image_height;
  result.warning = guard.truncation() != nullptr ? decoder.missing_part() : guard.warning();
  return result;
}

}  // namespace imgpress::press
