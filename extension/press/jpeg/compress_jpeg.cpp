#include "press/jpeg/compress_jpeg.hpp"

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
std::vector<std::uint8_t> strip(ByteView source, const JpegSegments& segments, int orientation) {
  if (segments.has_frame && segments.has_scan) return strip_jpeg(segments, orientation);
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
  auto converted = convert(guard, decoder, options, metadata, source.size);
  CodecResult result =
      choose_smaller(std::move(converted), source, strip(source, segments, metadata.orientation),
                     ImageFormat::kJpeg);
  result.width = decoder.state().image_width;
  result.height = decoder.state().image_height;
  result.warning = guard.truncation() != nullptr ? decoder.missing_part() : guard.warning();
  return result;
}

}  // namespace imgpress::press
