#include "press/jpeg/pixels/pixel_encoder.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/pixels/row_encoder.hpp"

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

// Without colour conversion or interpolation of chroma where the source is YCbCr, so that the
// encoder's subsampling averages the source's own samples.
void start_reading(jpeg_decompress_struct& in) {
  in.out_color_space = in.jpeg_color_space == JCS_YCbCr ? JCS_YCbCr : JCS_RGB;
  in.do_fancy_upsampling = FALSE;
  jpeg_start_decompress(&in);
}

// Reads up to `count` rows; returns how many.
std::size_t read_rows(jpeg_decompress_struct& in, JSAMPROW* rows, std::size_t count) {
  std::size_t done = 0;
  while (done < count && in.output_scanline < in.output_height) {
    done += jpeg_read_scanlines(&in, rows + done, static_cast<JDIMENSION>(count - done));
  }
  return done;
}

// Steps of luma are never finer than the source's. Steps of chroma cannot be compared, since its
// resolution changes, nor can those of RGB.
QualityTables choose_tables(LibjpegGuard& guard, const LibjpegDecoder& decoder,
                            const CodecOptions& options) {
  const QuantTable luma = source_tables(decoder)[0];
  const QualityTables standard = standard_tables(guard, options.quality);
  QualityTables tables = quality_tables(standard, options, detail_of(luma, standard.luma));
  if (decoder.state().jpeg_color_space == JCS_YCbCr) tables.luma = coarser_of(tables.luma, luma);
  return tables;
}

PixelColours colours_of(const PixelImage& image) {
  if (image.is_video) return PixelColours::kVideo;
  return image.channels == 1 ? PixelColours::kGrey : PixelColours::kRgb;
}

// Up to `count` rows from number `y` on.
std::vector<const std::uint8_t*> pixel_rows(const PixelImage& image, std::size_t y,
                                            std::size_t count) {
  std::vector<const std::uint8_t*> rows;
  for (std::size_t i = y; i < std::min<std::size_t>(image.height, y + count); ++i) {
    rows.push_back(image.samples.data() + i * image.row_bytes());
  }
  return rows;
}

// `count` rows of luma, and half as many of either chroma. The last row of a plane is repeated.
std::vector<const std::uint8_t*> video_rows(const PixelImage& image, std::size_t y,
                                            std::size_t count) {
  std::vector<const std::uint8_t*> rows;
  const std::uint8_t* plane = image.samples.data();
  const auto add_plane = [&](std::size_t width, std::size_t height, std::size_t shift) {
    for (std::size_t i = y >> shift; i < (y + count) >> shift; ++i) {
      rows.push_back(plane + std::min(i, height - 1) * width);
    }
    plane += width * height;
  };
  add_plane(image.width, image.height, 0);
  for (int i = 0; i < 2; ++i) add_plane((image.width + 1) / 2, (image.height + 1) / 2, 1);
  return rows;
}

}  // namespace

std::optional<std::vector<std::uint8_t>> encode_pixels(PixelImage image,
                                                       const CodecOptions& options,
                                                       std::size_t size_limit) {
  check_sides(image);
  LibjpegGuard guard;
  const PixelColours colours = colours_of(image);
  const QualityTables tables =
      quality_tables(standard_tables(guard, options.quality), options, SourceDetail::kFine);
  RowEncoder encoder(colours, image.width, image.height, tables, options.effort);
  for (std::size_t y = 0; y < image.height; y += encoder.portion()) {
    encoder.add(colours == PixelColours::kVideo ? video_rows(image, y, encoder.portion())
                                                : pixel_rows(image, y, encoder.portion()));
  }
  std::vector<std::uint8_t>().swap(image.samples);  // writing takes memory itself
  return encoder.finish(image.metadata, size_limit);
}

std::optional<std::vector<std::uint8_t>> reencode_jpeg(LibjpegGuard& guard, LibjpegDecoder& decoder,
                                                       const CodecOptions& options,
                                                       const ImageMetadata& metadata,
                                                       std::size_t size_limit) {
  jpeg_decompress_struct& in = decoder.state();
  guard.run([&in] { start_reading(in); });  // reads all scans of a file that has several
  decoder.check_complete();
  const auto colours = in.out_color_space == JCS_YCbCr ? PixelColours::kYcc : PixelColours::kRgb;
  const QualityTables tables = choose_tables(guard, decoder, options);
  RowEncoder encoder(colours, in.image_width, in.image_height, tables, options.effort);
  const std::size_t row_bytes = std::size_t{in.image_width} * 3;
  std::vector<std::uint8_t> samples(row_bytes * encoder.portion());
  std::vector<JSAMPROW> buffers;
  for (std::size_t i = 0; i < encoder.portion(); ++i) {
    buffers.push_back(samples.data() + i * row_bytes);
  }
  while (in.output_scanline < in.output_height) {
    std::size_t count = 0;
    guard.run([&] { count = read_rows(in, buffers.data(), buffers.size()); });
    encoder.add({buffers.begin(), buffers.begin() + static_cast<std::ptrdiff_t>(count)});
  }
  decoder.check_complete();
  return encoder.finish(metadata, size_limit);
}

}  // namespace imgpress::press
