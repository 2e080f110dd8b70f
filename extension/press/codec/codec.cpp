#include "press/codec/codec.hpp"

#include "press/codec/image_signature.hpp"

namespace imgpress::press {

CodecResult compress(ByteView source, const CodecOptions& options) {
  return identify_image(source).compress(source, options);
}

}  // namespace imgpress::press
