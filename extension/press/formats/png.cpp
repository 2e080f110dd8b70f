#include "press/formats/png.hpp"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "core/rules/fault.hpp"
#include "press/codec/choose_output.hpp"
#include "press/codec/exif_orientation.hpp"
#include "press/codec/pixel_image.hpp"
#include "press/formats/png_chunks.hpp"
#include "press/formats/png_rows.hpp"

namespace imgpress::press {
namespace {

// libpng has no codes for its errors. Those of zlib are among them: "insufficient memory".
bool is_lack_of_memory(const char* message) {
  return std::strstr(message, "of memory") != nullptr ||
         std::strstr(message, "nsufficient memory") != nullptr;
}

// Turns libpng's errors, which it reports by longjmp, into exceptions. The jump ends in run(); as
// with LibjpegGuard, the code in between must have no destructors to run.
class PngDecoder {
 public:
  PngDecoder();
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  // Not done by the constructor: the destructor does not run when that throws.
  void read_header(ByteView source);

  // Runs `step`, whose variables must be trivially destructible.
  template <typename Step>
  __attribute__((noinline)) void run(Step step) {
    if (setjmp(frame_.landing) != 0) {
      if (is_lack_of_memory(frame_.message)) throw std::bad_alloc();
      throw FaultError(Fault::kDamagedImage, std::string("PNG file: ") + frame_.message);
    }
    step();
  }

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

 private:
  struct Frame {
    std::jmp_buf landing;
    char message[128];
    ByteView unread;
  };
  static_assert(std::is_trivially_destructible_v<Frame>);

  static void on_error(png_structp png, png_const_charp message);
  static void on_warning(png_structp, png_const_charp) {}
  static void read(png_structp png, png_bytep out, std::size_t size);

  Frame frame_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

void PngDecoder::on_error(png_structp png, png_const_charp message) {
  auto& frame = *static_cast<Frame*>(png_get_error_ptr(png));
  std::snprintf(frame.message, sizeof frame.message, "%s", message);
  std::longjmp(frame.landing, 1);
}

void PngDecoder::read(png_structp png, png_bytep out, std::size_t size) {
  auto& unread = static_cast<Frame*>(png_get_io_ptr(png))->unread;
  if (size > unread.size) png_error(png, "it ends before the picture is complete");
  std::memcpy(out, unread.data, size);
  unread = {unread.data + size, unread.size - size};
}

// Text may be compressed to far less than its size, and is not needed. EXIF is read from the
// chunks.
void ignore_metadata(png_structp png) {
  png_byte names[] = "tEXt\0zTXt\0iTXt\0eXIf";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, 4);
}

PngDecoder::PngDecoder() {
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &frame_, on_error, on_warning);
  if (png_ == nullptr) throw FaultError(Fault::kOutOfResources, "no memory for reading a PNG file");
}

void PngDecoder::read_header(ByteView source) {
  frame_.unread = source;
  run([this] {
    info_ = png_create_info_struct(png_);
    png_set_read_fn(png_, &frame_, read);
    png_set_benign_errors(png_, 1);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the caller checks the size
    ignore_metadata(png_);
    png_read_info(png_, info_);
  });
}

// Lets libpng convert everything to 8 bits a sample: grey or RGB, with or without alpha.
void normalise(png_structp png, png_infop info) {
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

std::vector<std::uint8_t> read_icc_profile(PngDecoder& decoder) {
  png_charp name = nullptr;
  int method = 0;
  png_bytep profile = nullptr;
  png_uint_32 size = 0;
  decoder.run([&] {
    if (png_get_iCCP(decoder.png(), decoder.info(), &name, &method, &profile, &size) == 0) size = 0;
  });
  return std::vector<std::uint8_t>(profile, profile + size);
}

// Decodes what libpng alone can decode. Returns the number of channels, alpha included.
int read_slowly(PngDecoder& decoder, std::uint32_t height, std::vector<std::uint8_t>& samples) {
  decoder.run([&decoder] { normalise(decoder.png(), decoder.info()); });
  const std::size_t stride = png_get_rowbytes(decoder.png(), decoder.info());
  samples.resize(stride * height);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = samples.data() + y * stride;
  decoder.run([&decoder, &rows] { png_read_image(decoder.png(), rows.data()); });
  return png_get_channels(decoder.png(), decoder.info());
}

using Palette = std::array<std::uint8_t, std::size_t{3} * 256>;

// The palette's colours on white. Those that it lacks are black, as libpng has them.
Palette colours_on_white(png_structp png, png_infop info) {
  png_colorp colours = nullptr;
  png_bytep alphas = nullptr;
  int count = 0;
  int alpha_count = 0;
  png_get_PLTE(png, info, &colours, &count);
  png_get_tRNS(png, info, &alphas, &alpha_count, nullptr);
  Palette table{};
  for (int i = 0; i < count; ++i) {
    const png_byte alpha = i < alpha_count ? alphas[i] : 255;
    const std::uint8_t pixel[] = {colours[i].red, colours[i].green, colours[i].blue, alpha};
    blend_on_white(pixel, 3, 1, table.data() + std::size_t{3} * i);
  }
  return table;
}

// Turns pixels of one byte into the colours that it stands for.
void apply_palette(const Palette& colours, std::vector<std::uint8_t>& samples) {
  std::size_t i = samples.size();
  samples.resize(3 * i);
  while (i-- > 0) std::memcpy(&samples[3 * i], &colours[std::size_t{3} * samples[i]], 3);
}

// Decodes what has samples of 8 bits and no interlacing. Returns the number of channels, or 0 if
// this is another file or damaged.
int read_quickly(const PngDecoder& decoder, const PngChunks& chunks, PixelImage& image) {
  png_structp png = decoder.png();
  png_infop info = decoder.info();
  const bool has_palette = png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE;
  const bool has_one_clear_colour = !has_palette && png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  if (png_get_bit_depth(png, info) != 8 || has_one_clear_colour ||
      png_get_interlace_type(png, info) != PNG_INTERLACE_NONE) {
    return 0;
  }
  const int channels = png_get_channels(png, info);
  if (has_palette) image.samples.reserve(std::size_t{3} * image.width * image.height);
  if (!read_png_rows(chunks, image.width, image.height, static_cast<std::size_t>(channels),
                     image.samples)) {
    return 0;
  }
  if (!has_palette) return channels;
  apply_palette(colours_on_white(png, info), image.samples);
  return 3;
}

PixelImage read_png(ByteView source, const PngChunks& chunks, const PixelLimits& limits) {
  PngDecoder decoder;
  decoder.read_header(source);
  PixelImage image;
  image.width = png_get_image_width(decoder.png(), decoder.info());
  image.height = png_get_image_height(decoder.png(), decoder.info());
  check_pixel_count(image.width, image.height, limits);
  image.metadata.icc_profile = read_icc_profile(decoder);
  image.metadata.orientation = std::max(1, read_orientation(chunks.exif));
  image.has_more_frames = chunks.animated;

  int channels = read_quickly(decoder, chunks, image);
  if (channels == 0) channels = read_slowly(decoder, image.height, image.samples);
  image.channels = channels <= 2 ? 1 : 3;
  if (channels != image.channels) {
    const std::size_t pixels = std::size_t{image.width} * image.height;
    blend_on_white(image.samples.data(), image.channels, pixels, image.samples.data());
    image.samples.resize(pixels * static_cast<std::size_t>(image.channels));
  }
  return image;
}

}  // namespace

CodecResult compress_png(ByteView source, const CodecOptions& options) {
  const PngChunks chunks = parse_png_chunks(source);
  PixelImage image = read_png(source, chunks, options);
  const auto strip = [&, orientation = image.metadata.orientation] {
    return strip_png(chunks, orientation);
  };
  return compress_pixels(std::move(image), source, strip, ImageFormat::kPng, options);
}

}  // namespace imgpress::press
