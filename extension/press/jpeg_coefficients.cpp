#include "press/jpeg_coefficients.hpp"

#include <numeric>

#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_chroma.hpp"
#include "press/jpeg_huffman.hpp"
#include "press/jpeg_output.hpp"
#include "press/jpeg_quant_tables.hpp"
#include "press/jpeg_requantising.hpp"
#include "press/jpeg_scans.hpp"

namespace imgpress::press {
namespace {

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

void describe_420(jpeg_compress_struct& out) {
  for (int i = 0; i < out.num_components; ++i) {
    out.comp_info[i].h_samp_factor = out.comp_info[i].v_samp_factor = i == 0 ? 2 : 1;
  }
}

std::vector<JpegBlockRows> read_blocks(JpegGuard& guard, JpegInput& input) {
  jpeg_decompress_struct& in = input.state();
  jvirt_barray_ptr* arrays = nullptr;
  guard.run([&in, &arrays] { arrays = jpeg_read_coefficients(&in); });
  input.check_complete();
  std::vector<JpegBlockRows> components;
  for (int i = 0; i < in.num_components; ++i) {
    const jpeg_component_info& info = in.comp_info[i];
    components.emplace_back(in, arrays[i], info.width_in_blocks, info.height_in_blocks);
  }
  return components;
}

bool has_coarse_chroma(const jpeg_decompress_struct& header) {
  if (header.jpeg_color_space != JCS_YCbCr) return false;
  const auto samples = [&header](int i) {
    return header.comp_info[i].h_samp_factor * header.comp_info[i].v_samp_factor;
  };
  return samples(1) * 4 <= samples(0) && samples(2) * 4 <= samples(0);
}

// Huffman codes are chosen after one row of units in so many.
constexpr JDIMENSION kRowsInFast = 8;
constexpr JDIMENSION kRowsInBalanced = 1;

// Chroma that is coarser than it would become has nothing to give.
bool is_worth_halving(const QuantTable& from, const QuantTable& to) {
  return std::accumulate(from.begin(), from.end(), 0) <= std::accumulate(to.begin(), to.end(), 0);
}

void choose_coding(JpegGuard& guard, JpegOutput& output, Effort effort,
                   const std::vector<JpegBlockRows>& components) {
  if (effort == Effort::kSmall) {
    guard.run([&output] { use_progressive_scans(output.state()); });
    return;
  }
  use_codes(guard, output, components, effort == Effort::kFast ? kRowsInFast : kRowsInBalanced);
}

}  // namespace

bool suits_requantising(const jpeg_decompress_struct& header) {
  return header.num_components != 3 || has_ordinary_chroma(header) || has_coarse_chroma(header);
}

std::optional<std::vector<std::uint8_t>> requantise_jpeg(JpegGuard& guard, JpegInput& input,
                                                         const CodecOptions& options,
                                                         const ImageMetadata& metadata,
                                                         std::size_t room) {
  jpeg_decompress_struct& in = input.state();
  std::vector<JpegBlockRows> components = read_blocks(guard, input);

  JpegOutput output(guard, room);
  jpeg_compress_struct& out = output.state();
  guard.run([&in, &out] { describe_picture(in, out); });
  ComponentTables from = source_tables(input);
  ComponentTables to = quality_tables(guard, output, options.quality);
  if (has_ordinary_chroma(in) && chroma_fineness(in).any() && is_worth_halving(from[1], to[1])) {
    halve_chroma(guard, in, chroma_fineness(in), components, from);
    describe_420(out);
  }
  for (std::size_t i = 0; i < components.size(); ++i) {
    to[i] = coarser_of(from[i], to[i]);
    if (to[i] == from[i]) continue;
    const Channel channel = out.comp_info[i].ac_tbl_no == 0 ? Channel::kLight : Channel::kColour;
    requantise_component(guard, components[i], from[i], to[i], channel, options.effort);
  }
  use_tables(guard, output, to);
  choose_coding(guard, output, options.effort, components);

  jvirt_barray_ptr arrays[MAX_COMPS_IN_SCAN] = {};
  for (std::size_t i = 0; i < components.size(); ++i) arrays[i] = components[i].array();
  const bool fits = guard.run([&] {
    jpeg_write_coefficients(&out, arrays);
    output.write_metadata(metadata);
    jpeg_finish_compress(&out);
  });
  if (!fits) return std::nullopt;
  return output.take_bytes();
}

}  // namespace imgpress::press
