#include "press/codec/choose_output.hpp"

#include <utility>

#include "press/jpeg/pixels/pixel_encoder.hpp"

namespace imgpress::press {

using Bytes = std::vector<std::uint8_t>;

CodecResult keep_source(ByteView source, Bytes stripped, ImageFormat format) {
  CodecResult result;
  result.bytes = std::move(stripped);
  if (result.bytes.size() > source.size) {
    result.bytes.assign(source.data, source.data + source.size);
  }
  result.format = format;
  result.kept_source = true;
  return result;
}

CodecResult compress_pixels(PixelImage image, ByteView source, const std::function<Bytes()>& strip,
                            ImageFormat format, const CodecOptions& options) {
  const std::uint32_t width = image.width;
  const std::uint32_t height = image.height;
  const bool has_more_frames = image.has_more_frames;
  std::optional<Bytes> encoded = encode_pixels(std::move(image), options, source.size);
  Bytes stripped = strip();
  CodecResult result;
  if (encoded && encoded->size() < stripped.size()) {
    result.bytes = std::move(*encoded);
  } else {
    result = keep_source(source, std::move(stripped), format);
  }
  result.width = width;
  result.height = height;
  if (has_more_frames && !result.kept_source) {
    result.warning = "only the first frame of the animation was kept";
  }
  return result;
}

}  // namespace imgpress::press
