#include "press/jpeg/transcoder.hpp"

#include <numeric>
#include <utility>

#include "press/jpeg/coefficients/chroma_subsampling.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/read/coefficient_reader.hpp"
#include "press/jpeg/rows/quantised_rows.hpp"
#include "press/jpeg/write/coefficient_writer.hpp"

namespace imgpress::press {
namespace {

FrameHeader header_of(const jpeg_decompress_struct& in) {
  FrameHeader header;
  header.width = in.image_width;
  header.height = in.image_height;
  header.jfif = in.jpeg_color_space == JCS_GRAYSCALE || in.jpeg_color_space == JCS_YCbCr;
  if (in.saw_JFIF_marker != FALSE) {
    header.density = {in.density_unit, in.X_density, in.Y_density};
  }
  // Decoders invert four-colour images (CMYK) that have an Adobe segment, so it has to be kept.
  if (in.num_components == 4 && in.saw_Adobe_marker != FALSE) {
    header.adobe_transform = in.jpeg_color_space == JCS_YCCK ? 2 : 0;
  }
  return header;
}

bool has_quarter_chroma(const jpeg_decompress_struct& header) {
  if (header.jpeg_color_space != JCS_YCbCr) return false;
  const auto samples = [&header](int i) {
    return header.comp_info[i].h_samp_factor * header.comp_info[i].v_samp_factor;
  };
  return samples(1) * 4 <= samples(0) && samples(2) * 4 <= samples(0);
}

// Not worth it when the chroma is quantised more coarsely than the target: subsampled, its
// coefficients would be stored in finer steps than before.
bool is_worth_subsampling(const QuantTable& from, const QuantTable& to) {
  return std::accumulate(from.begin(), from.end(), 0) <= std::accumulate(to.begin(), to.end(), 0);
}

bool should_subsample(const jpeg_decompress_struct& header, const CoefficientImage& image,
                      const QualityTables& to) {
  return has_full_or_half_chroma(header) && full_resolution_axes(image).any() &&
         is_worth_subsampling(image[1].steps, to.chroma);
}

const QuantTable& table_for(const Plane& plane, const QualityTables& to) {
  return plane.channel == Channel::kLuma ? to.luma : to.chroma;
}

}  // namespace

bool can_transcode(const jpeg_decompress_struct& header) {
  return header.num_components != 3 || has_full_or_half_chroma(header) ||
         has_quarter_chroma(header);
}

std::optional<std::vector<std::uint8_t>> transcode_jpeg(LibjpegGuard& guard,
                                                        LibjpegDecoder& decoder,
                                                        const CodecOptions& options,
                                                        const ImageMetadata& metadata,
                                                        std::size_t size_limit) {
  const jpeg_decompress_struct& in = decoder.state();
  CoefficientImage image = describe_image(in);
  ImageRows rows = read_coefficients(guard, decoder, image);
  const QualityTables standard = standard_tables(guard, options.quality);
  const QualityTables to =
      quality_tables(standard, options, detail_of(image[0].steps, standard.luma));
  if (should_subsample(in, image, standard)) subsample_chroma(image, rows);
  reduce_sampling_factors(image);
  if (blocks_in_mcu(image) > kMaxBlocksInMcu) {
    throw FaultError(Fault::kUnsupportedImage, "JPEG file: its sampling factors are too large");
  }
  for (std::size_t i = 0; i < image.size(); ++i) {
    rows[i] = requantised(image[i], std::move(rows[i]), table_for(image[i], to),
                          table_for(image[i], standard), options.effort);
  }
  return write_coefficients(image, rows, header_of(in), metadata, options.effort, size_limit);
}

}  // namespace imgpress::press
