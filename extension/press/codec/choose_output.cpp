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

CodecResult compress_pixels(const PixelImage& image, ByteView source, Bytes stripped,
                            ImageFormat format, const CodecOptions& options) {
  std::optional<Bytes> encoded = encode_pixels(image, options, source.size);
  CodecResult result;
  if (encoded && encoded->size() < stripped.size()) {
    result.bytes = std::move(*encoded);
  } else {
    result = keep_source(source, std::move(stripped), format);
  }
  result.width = image.width;
  result.height = image.height;
  if (image.has_more_frames && !result.kept_source) {
    result.warning = "only the first frame of the animation was kept";
  }
  return result;
}

}  // namespace imgpress::press
