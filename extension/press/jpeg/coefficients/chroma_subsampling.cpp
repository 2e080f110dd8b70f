#include "press/jpeg/coefficients/chroma_subsampling.hpp"

namespace imgpress::press {
namespace {

std::uint32_t half_of(std::uint32_t blocks) {
  return (blocks + 1) / 2;
}

// The blocks that become the new one at x, y.
BlockDownsampler::Neighbours neighbours(const Plane& plane, HalvedAxes axes, std::uint32_t x,
                                        std::uint32_t y) {
  const std::uint32_t left = axes.across ? 2 * x : x;
  const std::uint32_t top = axes.down ? 2 * y : y;
  const bool has_right = left + 1 < plane.width;
  const Block* upper = plane.row(top) + left;
  const Block* lower = top + 1 < plane.height ? plane.row(top + 1) + left : nullptr;
  return {{upper, has_right ? upper + 1 : nullptr},
          {lower, has_right && lower != nullptr ? lower + 1 : nullptr}};
}

Plane halved(const Plane& plane, HalvedAxes axes) {
  const BlockDownsampler downsampler(plane.steps, axes);
  Plane result;
  result.id = plane.id;
  result.channel = plane.channel;
  result.steps.fill(1);
  result.width = axes.across ? half_of(plane.width) : plane.width;
  result.height = axes.down ? half_of(plane.height) : plane.height;
  result.make_blocks();
  for (std::uint32_t y = 0; y < result.height; ++y) {
    for (std::uint32_t x = 0; x < result.width; ++x) {
      downsampler.downsample(neighbours(plane, axes, x, y), result.row(y)[x]);
    }
  }
  return result;
}

bool is_full_or_half(int chroma, int luma) {
  return chroma == luma || 2 * chroma == luma;
}

}  // namespace

bool has_full_or_half_chroma(const jpeg_decompress_struct& header) {
  if (header.num_components != 3 || header.jpeg_color_space != JCS_YCbCr) return false;
  const jpeg_component_info* info = header.comp_info;
  return info[1].h_samp_factor == info[2].h_samp_factor &&
         info[1].v_samp_factor == info[2].v_samp_factor &&
         is_full_or_half(info[1].h_samp_factor, info[0].h_samp_factor) &&
         is_full_or_half(info[1].v_samp_factor, info[0].v_samp_factor);
}

HalvedAxes full_resolution_axes(const CoefficientImage& image) {
  const Plane& luma = image[0];
  const Plane& chroma = image[1];
  return {chroma.h_factor == luma.h_factor, chroma.v_factor == luma.v_factor};
}

void subsample_chroma(CoefficientImage& image) {
  const HalvedAxes axes = full_resolution_axes(image);
  for (const std::size_t i : {1, 2}) {
    image[i] = halved(image[i], axes);
  }
  image[0].h_factor = image[0].v_factor = 2;
}

}  // namespace imgpress::press
