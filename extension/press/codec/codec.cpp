#include "press/codec/codec.hpp"

#include <optional>
#include <utility>

#include "press/formats/gif_reader.hpp"
#include "press/codec/image_signature.hpp"
#include "press/jpeg/read/segment_parser.hpp"
#include "press/jpeg/transcoder.hpp"
#include "press/jpeg/pixel_encoder.hpp"
#include "press/codec/pixel_image.hpp"
#include "press/formats/png_chunks.hpp"
#include "press/formats/png_reader.hpp"
#include "press/formats/webp_chunks.hpp"
#include "press/formats/webp_reader.hpp"

namespace imgpress::press {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The source itself as the output: without its metadata, unless that makes it larger.
CodecResult keep_source(ByteView source, Bytes stripped, ImageFormat format) {
  CodecResult result;
  result.bytes = std::move(stripped);
  if (result.bytes.size() > source.size)
    result.bytes.assign(source.data, source.data + source.size);
  result.format = format;
  result.kept_source = true;
  return result;
}

CodecResult choose_smaller(std::optional<Bytes> encoded, ByteView source, Bytes stripped,
                           ImageFormat format) {
  if (!encoded || encoded->size() >= stripped.size()) {
    return keep_source(source, std::move(stripped), format);
  }
  CodecResult result;
  result.bytes = std::move(*encoded);
  return result;
}

CodecResult compress_jpeg(ByteView source, const CodecOptions& options) {
  LibjpegGuard guard;
  if (options.accept_truncated) guard.accept_truncation();
  LibjpegDecoder decoder(guard);
  const JpegSegments segments = parse_segments(source);
  decoder.read_header(options.accept_truncated ? segments.whole_segments : source,
                      options.max_pixels);
  const ImageMetadata metadata = read_metadata(segments);
  // What only decoders can make sense of stays as it is.
  Bytes stripped = segments.has_frame && segments.has_scan
                       ? strip_jpeg(segments, metadata.orientation)
                       : Bytes(source.data, source.data + source.size);
  const auto convert = can_transcode(decoder.state()) ? transcode_jpeg : reencode_jpeg;
  CodecResult result = choose_smaller(convert(guard, decoder, options, metadata, source.size),
                                      source, std::move(stripped), ImageFormat::kJpeg);
  result.width = decoder.state().image_width;
  result.height = decoder.state().image_height;
  result.warning = guard.truncation() != nullptr ? decoder.missing_part() : guard.warning();
  return result;
}

CodecResult compress_pixels(const PixelImage& image, ByteView source, Bytes stripped,
                            ImageFormat format, const CodecOptions& options) {
  CodecResult result = choose_smaller(encode_pixels(image, options, source.size), source,
                                      std::move(stripped), format);
  result.width = image.width;
  result.height = image.height;
  if (image.has_more_frames && !result.kept_source) {
    result.warning = "only the first frame of the animation was kept";
  }
  return result;
}

CodecResult compress_png(ByteView source, const CodecOptions& options) {
  const PngChunks segments = parse_png_chunks(source);
  const PixelImage image = read_png(source, segments, options.max_pixels);
  return compress_pixels(image, source, strip_png(segments, image.metadata.orientation),
                         ImageFormat::kPng, options);
}

CodecResult compress_webp(ByteView source, const CodecOptions& options) {
  const PixelImage image = read_webp(source, options.max_pixels);
  return compress_pixels(image, source, strip_webp(source, image.metadata.orientation),
                         ImageFormat::kWebp, options);
}

CodecResult compress_gif(ByteView source, const CodecOptions& options) {
  const PixelImage image = read_gif(source, options.max_pixels);
  return compress_pixels(image, source, Bytes(source.data, source.data + source.size),
                         ImageFormat::kGif, options);
}

}  // namespace

CodecResult compress(ByteView source, const CodecOptions& options) {
  switch (identify_image(source)) {
    case ImageFormat::kPng:
      return compress_png(source, options);
    case ImageFormat::kWebp:
      return compress_webp(source, options);
    case ImageFormat::kGif:
      return compress_gif(source, options);
    case ImageFormat::kJpeg:
      break;
  }
  return compress_jpeg(source, options);
}

}  // namespace imgpress::press
