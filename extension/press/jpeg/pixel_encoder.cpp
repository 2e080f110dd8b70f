#include "press/jpeg/pixel_encoder.hpp"

#include <algorithm>
#include <string>

#include "press/jpeg/write/libjpeg_encoder.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"

namespace imgpress::press {
namespace {

void check_sides(const PixelImage& image) {
  const std::uint32_t longer = std::max(image.width, image.height);
  if (longer > JPEG_MAX_DIMENSION) {
    throw FaultError(Fault::kUnsupportedImage, "a side of the image has " + std::to_string(longer) +
                                                   " pixels; a JPEG file can have at most " +
                                                   std::to_string(JPEG_MAX_DIMENSION));
  }
}

void describe_image(LibjpegEncoder& encoder, std::uint32_t width, std::uint32_t height,
                    J_COLOR_SPACE colours, Effort effort) {
  jpeg_compress_struct& out = encoder.state();
  out.image_width = width;
  out.image_height = height;
  out.input_components = colours == JCS_GRAYSCALE ? 1 : 3;
  out.in_color_space = colours;
  jpeg_set_defaults(&out);  // 4:2:0
  out.optimize_coding = effort != Effort::kFast;
  if (effort == Effort::kSmall) encoder.use_progressive_scans();
}

// Without colour conversion or interpolation of chroma where the source is YCbCr, so that the
// encoder's subsampling averages the source's own samples.
void start_reading(jpeg_decompress_struct& in) {
  in.out_color_space = in.jpeg_color_space == JCS_YCbCr ? JCS_YCbCr : JCS_RGB;
  in.do_fancy_upsampling = FALSE;
  jpeg_start_decompress(&in);
}

void copy_rows(jpeg_decompress_struct& in, jpeg_compress_struct& out, JSAMPROW row) {
  while (in.output_scanline < in.output_height) {
    jpeg_read_scanlines(&in, &row, 1);
    jpeg_write_scanlines(&out, &row, 1);
  }
}

void skip_rows(jpeg_decompress_struct& in, JSAMPROW row) {
  while (in.output_scanline < in.output_height) jpeg_read_scanlines(&in, &row, 1);
}

// Steps of luma are never finer than the source's. Steps of chroma cannot be compared, since its
// resolution changes, nor can those of RGB.
void choose_tables(LibjpegGuard& guard, const LibjpegDecoder& decoder, LibjpegEncoder& encoder,
                   int quality) {
  const QualityTables wanted = quality_tables(guard, quality);
  ComponentTables tables = {wanted.luma, wanted.chroma, wanted.chroma};
  if (decoder.state().jpeg_color_space == JCS_YCbCr) {
    tables[0] = coarser_of(tables[0], source_tables(decoder)[0]);
  }
  use_tables(guard, encoder, tables);
}

}  // namespace

std::optional<std::vector<std::uint8_t>> encode_pixels(const PixelImage& image,
                                                       const CodecOptions& options,
                                                       std::size_t size_limit) {
  check_sides(image);
  LibjpegGuard guard;
  LibjpegEncoder encoder(guard, size_limit);
  jpeg_compress_struct& out = encoder.state();
  const bool fits = guard.run([&] {
    describe_image(encoder, image.width, image.height,
                   image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB, options.effort);
    jpeg_set_quality(&out, options.quality, TRUE);
    jpeg_start_compress(&out, TRUE);
    encoder.write_metadata(image.metadata);
    while (out.next_scanline < out.image_height) {
      // libjpeg's interface has no const, but it only reads.
      auto* row =
          const_cast<JSAMPROW>(image.samples.data() + out.next_scanline * image.row_bytes());
      jpeg_write_scanlines(&out, &row, 1);
    }
    jpeg_finish_compress(&out);
  });
  if (!fits) return std::nullopt;
  return encoder.take_bytes();
}

std::optional<std::vector<std::uint8_t>> reencode_jpeg(LibjpegGuard& guard, LibjpegDecoder& decoder,
                                                       const CodecOptions& options,
                                                       const ImageMetadata& metadata,
                                                       std::size_t size_limit) {
  jpeg_decompress_struct& in = decoder.state();
  guard.run([&in] { start_reading(in); });  // reads all scans of a file that has several
  decoder.check_complete();
  LibjpegEncoder encoder(guard, size_limit);
  jpeg_compress_struct& out = encoder.state();
  guard.run([&] {
    describe_image(encoder, in.image_width, in.image_height, in.out_color_space, options.effort);
  });
  choose_tables(guard, decoder, encoder, options.quality);

  std::vector<std::uint8_t> row(std::size_t{in.image_width} * 3);
  const bool fits = guard.run([&] {
    jpeg_start_compress(&out, TRUE);
    encoder.write_metadata(metadata);
    copy_rows(in, out, row.data());
    jpeg_finish_compress(&out);
  });
  // The rest of the source is read anyway: a damaged file fails even if the result is not wanted.
  if (!fits) guard.run([&] { skip_rows(in, row.data()); });
  decoder.check_complete();
  if (!fits) return std::nullopt;
  return encoder.take_bytes();
}

}  // namespace imgpress::press
