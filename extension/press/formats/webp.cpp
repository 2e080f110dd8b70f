#include "press/formats/webp.hpp"

#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "core/rules/fault.hpp"
#include "press/codec/choose_output.hpp"
#include "press/codec/exif_orientation.hpp"
#include "press/codec/pixel_image.hpp"
#include "press/formats/webp_chunks.hpp"

namespace imgpress::press {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

[[noreturn]] void refuse(const char* reason) {
  throw FaultError(Fault::kDamagedImage, std::string("WebP file: ") + reason);
}

// The first frame of the file. The iterator holds memory that has to be released.
struct Frame : WebPIterator {
  explicit Frame(const WebPDemuxer* demuxer) : WebPIterator{} {
    if (WebPDemuxGetFrame(demuxer, 1, this) == 0 || complete == 0) {
      WebPDemuxReleaseIterator(this);
      refuse("it has no complete picture");
    }
  }
  ~Frame() { WebPDemuxReleaseIterator(this); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
};

std::vector<std::uint8_t> read_chunk(const WebPDemuxer* demuxer, const char* type) {
  WebPChunkIterator chunk{};
  if (WebPDemuxGetChunk(demuxer, type, 1, &chunk) == 0) return {};
  std::vector<std::uint8_t> bytes(chunk.chunk.bytes, chunk.chunk.bytes + chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);
  return bytes;
}

// Whether there is memory for whatever libwebp may need: an alpha channel takes up to 5 bytes a
// pixel, where the picture has 2.5 at least, and its Huffman codes some more.
bool has_memory_for(std::size_t picture_bytes) {
  constexpr std::size_t kCodeBytes = 16 << 20;
  // volatile: otherwise the compiler leaves it out
  void* volatile memory = std::malloc(2 * picture_bytes + kCodeBytes);
  std::free(memory);
  return memory != nullptr;
}

// `out.colorspace` and its buffer, whose size is `size`, must be set.
void decode(const WebPData& data, const WebPDecBuffer& out, std::size_t size) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) refuse("libwebp has another version");
  // Without interpolation of chroma the encoder's subsampling averages the source's own samples.
  config.options.no_fancy_upsampling = 1;
  config.output = out;
  config.output.is_external_memory = 1;
  switch (WebPDecode(data.bytes, data.size, &config)) {
    case VP8_STATUS_OK:
      return;
    // These are mixed up where there is an alpha channel: some versions of libwebp say the first of
    // a damaged one, others the second where memory runs out for an intact one.
    case VP8_STATUS_OUT_OF_MEMORY:
    case VP8_STATUS_BITSTREAM_ERROR:
      if (!has_memory_for(size)) throw std::bad_alloc();
      refuse("its data is corrupt");
    case VP8_STATUS_NOT_ENOUGH_DATA:
      refuse("it ends before the picture is complete");
    default:
      refuse("its data is corrupt");
  }
}

void decode_pixels(const WebPData& data, WEBP_CSP_MODE mode, std::size_t stride,
                   std::vector<std::uint8_t>& pixels) {
  WebPDecBuffer out{};
  out.colorspace = mode;
  out.u.RGBA = {pixels.data(), static_cast<int>(stride), pixels.size()};
  decode(data, out, pixels.size());
}

// Blends the planes of an image with white. A chroma sample is that of 2 x 2 pixels.
void blend_planes(const std::vector<std::uint8_t>& alpha, PixelImage& image) {
  constexpr std::uint8_t kWhite = 235;
  constexpr std::uint8_t kNoColour = 128;
  const std::size_t width = image.width;
  blend_on_shade(alpha.data(), alpha.size(), kWhite, image.samples.data());
  std::uint8_t* blue = image.samples.data() + alpha.size();
  std::vector<std::uint8_t> mean((width + 1) / 2);
  std::uint8_t* red = blue + mean.size() * ((std::size_t{image.height} + 1) / 2);
  for (std::size_t y = 0; y < image.height; y += 2) {
    const std::uint8_t* const upper = alpha.data() + y * width;
    const std::uint8_t* const lower = y + 1 < image.height ? upper + width : upper;
    for (std::size_t x = 0; x < width; x += 2) {
      const std::size_t right = std::min(x + 1, width - 1);
      mean[x / 2] =
          static_cast<std::uint8_t>((upper[x] + upper[right] + lower[x] + lower[right] + 2) / 4);
    }
    for (std::uint8_t** const plane : {&blue, &red}) {
      blend_on_shade(mean.data(), mean.size(), kNoColour, *plane);
      *plane += mean.size();
    }
  }
}

// Takes the samples of a lossy picture as they are stored.
void decode_planes(const Frame& frame, PixelImage& image) {
  const std::size_t luma = std::size_t{image.width} * image.height;
  const std::size_t half_width = (std::size_t{image.width} + 1) / 2;
  const std::size_t chroma = half_width * ((std::size_t{image.height} + 1) / 2);
  image.is_video = true;
  image.samples.resize(luma + 2 * chroma);
  std::vector<std::uint8_t> alpha(frame.has_alpha != 0 ? luma : 0);
  std::uint8_t* const planes = image.samples.data();
  WebPDecBuffer out{};
  out.colorspace = frame.has_alpha != 0 ? MODE_YUVA : MODE_YUV;
  WebPYUVABuffer& yuv = out.u.YUVA;
  yuv.y = planes;
  yuv.u = planes + luma;
  yuv.v = planes + luma + chroma;
  yuv.a = alpha.data();
  yuv.y_stride = yuv.a_stride = static_cast<int>(image.width);
  yuv.u_stride = yuv.v_stride = static_cast<int>(half_width);
  yuv.y_size = luma;
  yuv.u_size = yuv.v_size = chroma;
  yuv.a_size = alpha.size();
  decode(frame.fragment, out, image.samples.size() + alpha.size());
  if (frame.has_alpha != 0) blend_planes(alpha, image);
}

bool is_lossy(const WebPData& data) {
  constexpr int kLossy = 1;
  WebPBitstreamFeatures features;
  return WebPGetFeatures(data.bytes, data.size, &features) == VP8_STATUS_OK &&
         features.format == kLossy;
}

// Decodes the frame with its alpha channel and blends it with a white canvas.
void draw(const Frame& frame, PixelImage& canvas) {
  const auto width = static_cast<std::size_t>(frame.width);
  const auto height = static_cast<std::size_t>(frame.height);
  std::vector<std::uint8_t> pixels(width * height * 4);
  decode_pixels(frame.fragment, MODE_RGBA, width * 4, pixels);
  // Only now, since decoding takes much itself.
  canvas.samples.assign(canvas.row_bytes() * canvas.height, 0xFF);
  for (std::size_t y = 0; y < height; ++y) {
    std::uint8_t* row = canvas.samples.data() +
                        (static_cast<std::size_t>(frame.y_offset) + y) * canvas.row_bytes() +
                        static_cast<std::size_t>(frame.x_offset) * 3;
    blend_on_white(pixels.data() + y * width * 4, 3, width, row);
  }
}

bool lies_within(const Frame& frame, const PixelImage& canvas) {
  return frame.x_offset >= 0 && frame.y_offset >= 0 && frame.width > 0 && frame.height > 0 &&
         std::int64_t{frame.x_offset} + frame.width <= std::int64_t{canvas.width} &&
         std::int64_t{frame.y_offset} + frame.height <= std::int64_t{canvas.height};
}

void read_picture(const Frame& frame, PixelImage& canvas) {
  if (!lies_within(frame, canvas)) refuse("a frame lies outside of the picture");
  const bool covers_all = static_cast<std::uint32_t>(frame.width) == canvas.width &&
                          static_cast<std::uint32_t>(frame.height) == canvas.height;
  if (covers_all && is_lossy(frame.fragment)) {
    decode_planes(frame, canvas);
  } else if (covers_all && frame.has_alpha == 0) {
    canvas.samples.resize(canvas.row_bytes() * canvas.height);
    decode_pixels(frame.fragment, MODE_RGB, canvas.row_bytes(), canvas.samples);
  } else {
    draw(frame, canvas);
  }
}

// An odd file may be readable only with the chunks that are no part of the picture.
bool is_readable(const std::vector<std::uint8_t>& file) {
  const WebPData data{file.data(), file.size()};
  return Demuxer(WebPDemux(&data), &WebPDemuxDelete) != nullptr;
}

PixelImage read_webp(ByteView source, const PixelLimits& limits) {
  const WebPData data{source.data, source.size};
  const Demuxer demuxer(WebPDemux(&data), &WebPDemuxDelete);
  if (demuxer == nullptr) refuse("it is truncated or corrupt");
  PixelImage image;
  image.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  image.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_pixel_count(image.width, image.height, limits);
  image.has_more_frames = WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT) > 1;
  image.metadata.icc_profile = read_chunk(demuxer.get(), "ICCP");
  const std::vector<std::uint8_t> exif = read_chunk(demuxer.get(), "EXIF");
  image.metadata.orientation = std::max(1, read_orientation({exif.data(), exif.size()}));
  read_picture(Frame(demuxer.get()), image);
  return image;
}

}  // namespace

CodecResult compress_webp(ByteView source, const CodecOptions& options) {
  PixelImage image = read_webp(source, options);
  const auto strip = [source, orientation = image.metadata.orientation] {
    std::vector<std::uint8_t> stripped = strip_webp(source, orientation);
    if (!is_readable(stripped)) stripped.assign(source.data, source.data + source.size);
    return stripped;
  };
  return compress_pixels(std::move(image), source, strip, ImageFormat::kWebp, options);
}

}  // namespace imgpress::press
