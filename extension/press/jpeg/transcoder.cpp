#include "press/jpeg/transcoder.hpp"

#include <numeric>

#include "press/jpeg/coefficients/chroma_subsampling.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/read/coefficient_reader.hpp"
#include "press/jpeg/write/coefficient_writer.hpp"
#include "press/jpeg/coefficients/plane_requantisation.hpp"

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
  // Readers take four colours for inverted ones where the Adobe marker is present.
  if (in.num_components == 4 && in.saw_Adobe_marker != FALSE) {
    header.adobe_transform = in.jpeg_color_space == JCS_YCCK ? 2 : 0;
  }
  return header;
}

bool has_coarse_chroma(const jpeg_decompress_struct& header) {
  if (header.jpeg_color_space != JCS_YCbCr) return false;
  const auto samples = [&header](int i) {
    return header.comp_info[i].h_samp_factor * header.comp_info[i].v_samp_factor;
  };
  return samples(1) * 4 <= samples(0) && samples(2) * 4 <= samples(0);
}

// Chroma that is coarser than it would become has nothing to give.
bool is_worth_halving(const QuantTable& from, const QuantTable& to) {
  return std::accumulate(from.begin(), from.end(), 0) <= std::accumulate(to.begin(), to.end(), 0);
}

}  // namespace

bool suits_requantising(const jpeg_decompress_struct& header) {
  return header.num_components != 3 || has_ordinary_chroma(header) || has_coarse_chroma(header);
}

std::optional<std::vector<std::uint8_t>> requantise_jpeg(JpegGuard& guard, JpegInput& input,
                                                         const CodecOptions& options,
                                                         const ImageMetadata& metadata,
                                                         std::size_t room) {
  const jpeg_decompress_struct& in = input.state();
  CodedPicture picture = read_coefficients(guard, input);
  const QualityTables to = quality_tables(guard, options.quality);
  if (has_ordinary_chroma(in) && chroma_fineness(picture).any() &&
      is_worth_halving(picture[1].steps, to.colour)) {
    halve_chroma(picture);
  }
  simplify_units(picture);
  if (blocks_in_unit(picture) > kMaxBlocksInUnit) {
    throw FaultError(Fault::kUnsupportedImage, "JPEG file: its sampling factors are too large");
  }
  for (Plane& plane : picture) {
    requantise_plane(plane, plane.channel == Channel::kLight ? to.light : to.colour,
                     options.effort);
  }
  return write_jpeg(picture, header_of(in), metadata, options.effort, room);
}

}  // namespace imgpress::press
