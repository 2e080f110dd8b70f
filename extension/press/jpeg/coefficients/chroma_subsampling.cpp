#include "press/jpeg/coefficients/chroma_subsampling.hpp"

namespace imgpress::press {
namespace {

std::uint32_t half_of(std::uint32_t blocks) {
  return (blocks + 1) / 2;
}

// The blocks that make the new one at x, y.
ChromaHalver::Neighbours neighbours(const Plane& plane, ChromaFineness fineness, std::uint32_t x,
                                    std::uint32_t y) {
  const std::uint32_t left = fineness.across ? 2 * x : x;
  const std::uint32_t top = fineness.down ? 2 * y : y;
  const bool has_right = left + 1 < plane.width;
  const Block* upper = plane.row(top) + left;
  const Block* lower = top + 1 < plane.height ? plane.row(top + 1) + left : nullptr;
  return {{upper, has_right ? upper + 1 : nullptr},
          {lower, has_right && lower != nullptr ? lower + 1 : nullptr}};
}

Plane halved(const Plane& plane, ChromaFineness fineness) {
  const ChromaHalver halver(plane.steps, fineness);
  Plane result;
  result.id = plane.id;
  result.channel = plane.channel;
  result.steps.fill(1);
  result.width = fineness.across ? half_of(plane.width) : plane.width;
  result.height = fineness.down ? half_of(plane.height) : plane.height;
  result.make_blocks();
  for (std::uint32_t y = 0; y < result.height; ++y) {
    for (std::uint32_t x = 0; x < result.width; ++x) {
      halver.halve(neighbours(plane, fineness, x, y), result.row(y)[x]);
    }
  }
  return result;
}

bool is_full_or_half(int chroma, int luma) {
  return chroma == luma || 2 * chroma == luma;
}

}  // namespace

bool has_ordinary_chroma(const jpeg_decompress_struct& header) {
  if (header.num_components != 3 || header.jpeg_color_space != JCS_YCbCr) return false;
  const jpeg_component_info* info = header.comp_info;
  return info[1].h_samp_factor == info[2].h_samp_factor &&
         info[1].v_samp_factor == info[2].v_samp_factor &&
         is_full_or_half(info[1].h_samp_factor, info[0].h_samp_factor) &&
         is_full_or_half(info[1].v_samp_factor, info[0].v_samp_factor);
}

ChromaFineness chroma_fineness(const CodedPicture& picture) {
  const Plane& luma = picture[0];
  const Plane& chroma = picture[1];
  return {chroma.across == luma.across, chroma.down == luma.down};
}

void halve_chroma(CodedPicture& picture) {
  const ChromaFineness fineness = chroma_fineness(picture);
  for (const std::size_t i : {1, 2}) {
    picture[i] = halved(picture[i], fineness);
  }
  picture[0].across = picture[0].down = 2;
}

}  // namespace imgpress::press
