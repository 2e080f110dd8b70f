#include "press/jpeg_coefficients.hpp"

#include <algorithm>

#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_huffman.hpp"
#include "press/jpeg_output.hpp"
#include "press/jpeg_quant_tables.hpp"
#include "press/requantiser.hpp"

namespace imgpress::press {
namespace {

// The distribution of a picture's coefficients shows in this many of its blocks.
constexpr std::uint32_t kSampledBlocks = 1024;

// Describes the picture of `input` to `output`: size, colours, sampling. Tables are not copied.
void describe_picture(const jpeg_decompress_struct& in, jpeg_compress_struct& out) {
  out.image_width = in.image_width;
  out.image_height = in.image_height;
  out.input_components = in.num_components;
  out.in_color_space = in.jpeg_color_space;
  jpeg_set_defaults(&out);
  jpeg_set_colorspace(&out, in.jpeg_color_space);
  for (int i = 0; i < in.num_components; ++i) {
    out.comp_info[i].component_id = in.comp_info[i].component_id;
    out.comp_info[i].h_samp_factor = in.comp_info[i].h_samp_factor;
    out.comp_info[i].v_samp_factor = in.comp_info[i].v_samp_factor;
  }
  if (in.saw_JFIF_marker != FALSE) {
    out.density_unit = in.density_unit;
    out.X_density = in.X_density;
    out.Y_density = in.Y_density;
  }
  // Readers take four colours for inverted ones where the Adobe marker is present.
  if (in.num_components == 4) out.write_Adobe_marker = in.saw_Adobe_marker;
}

std::vector<JpegBlockRows> block_rows(jpeg_decompress_struct& in, jvirt_barray_ptr* arrays) {
  std::vector<JpegBlockRows> components;
  for (int i = 0; i < in.num_components; ++i) {
    components.emplace_back(in, arrays[i], in.comp_info[i]);
  }
  return components;
}

void requantise_component(JpegGuard& guard, const JpegBlockRows& rows, const QuantTable& from,
                          const QuantTable& to) {
  const JDIMENSION every = 1 + rows.width() * rows.height() / kSampledBlocks;
  CoefficientSample sample;
  guard.run([&] {
    for (JDIMENSION y = 0; y < rows.height(); y += every) sample.add(rows.row(y), rows.width());
  });
  const Requantiser requantiser(from, to, sample);
  guard.run([&] {
    for (JDIMENSION y = 0; y < rows.height(); ++y) requantiser.apply(rows.row(y), rows.width());
  });
}

}  // namespace

bool suits_requantising(const jpeg_decompress_struct& header) {
  if (header.num_components != 3) return true;
  if (header.jpeg_color_space != JCS_YCbCr) return false;
  const auto samples = [&header](int i) {
    return header.comp_info[i].h_samp_factor * header.comp_info[i].v_samp_factor;
  };
  return samples(1) * 4 <= samples(0) && samples(2) * 4 <= samples(0);
}

std::optional<std::vector<std::uint8_t>> requantise_jpeg(JpegGuard& guard, JpegInput& input,
                                                         int quality, const ImageMetadata& metadata,
                                                         std::size_t room) {
  jpeg_decompress_struct& in = input.state();
  jvirt_barray_ptr* arrays = nullptr;
  guard.run([&in, &arrays] { arrays = jpeg_read_coefficients(&in); });
  input.check_complete();

  JpegOutput output(guard, room);
  jpeg_compress_struct& out = output.state();
  guard.run([&in, &out] { describe_picture(in, out); });
  const ComponentTables from = source_tables(input);
  ComponentTables to = quality_tables(guard, output, quality);
  const std::vector<JpegBlockRows> components = block_rows(in, arrays);
  for (std::size_t i = 0; i < static_cast<std::size_t>(in.num_components); ++i) {
    to[i] = coarser_of(from[i], to[i]);
    if (to[i] != from[i]) requantise_component(guard, components[i], from[i], to[i]);
  }
  use_tables(guard, output, to);
  use_best_codes(guard, output, components);

  const bool fits = guard.run([&] {
    jpeg_write_coefficients(&out, arrays);
    output.write_metadata(metadata);
    jpeg_finish_compress(&out);
  });
  if (!fits) return std::nullopt;
  return output.take_bytes();
}

}  // namespace imgpress::press
