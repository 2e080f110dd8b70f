#include "press/jpeg/coefficients/chroma_subsampling.hpp"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace imgpress::press {
namespace {

template <typename Count>
Count half_of(Count blocks) {
  return (blocks + 1) / 2;
}

// The blocks that become number `x` of a row. `lower`: nullptr if there is no such row, or if rows
// are not halved.
BlockDownsampler::Neighbours neighbours(const Block* upper, const Block* lower, std::size_t width,
                                        bool across, std::size_t x) {
  const std::size_t left = across ? 2 * x : x;
  const bool has_right = left + 1 < width;
  return {{upper + left, has_right ? upper + left + 1 : nullptr},
          {lower != nullptr ? lower + left : nullptr,
           has_right && lower != nullptr ? lower + left + 1 : nullptr}};
}

// Halves a plane when its rows are read.
class HalvedRows : public BlockRows {
 public:
  HalvedRows(const Plane& plane, std::unique_ptr<BlockRows> rows, HalvedAxes axes)
      : BlockRows(axes.across ? half_of(plane.width) : plane.width),
        downsampler_(plane.steps, axes),
        axes_(axes),
        height_(plane.height),
        rows_(std::move(rows)),
        upper_(plane.width),
        lower_(plane.width) {}

  void read(std::uint32_t y, Block* to) override {
    const std::uint32_t top = axes_.down ? 2 * y : y;
    const bool has_lower = axes_.down && top + 1 < height_;
    rows_->read(top, upper_.data());
    if (has_lower) rows_->read(top + 1, lower_.data());
    for (std::size_t x = 0; x < width(); ++x) {
      downsampler_.downsample(neighbours(upper_.data(), has_lower ? lower_.data() : nullptr,
                                         upper_.size(), axes_.across, x),
                              to[x]);
    }
  }

 private:
  BlockDownsampler downsampler_;
  HalvedAxes axes_;
  std::uint32_t height_;
  std::unique_ptr<BlockRows> rows_;
  std::vector<Block> upper_;
  std::vector<Block> lower_;
};

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

void subsample_chroma(CoefficientImage& image, ImageRows& rows) {
  const HalvedAxes axes = full_resolution_axes(image);
  for (const std::size_t i : {1, 2}) {
    Plane& plane = image[i];
    rows[i] = std::make_unique<HalvedRows>(plane, std::move(rows[i]), axes);
    plane.h_factor = plane.v_factor = 1;
    plane.steps.fill(1);
    if (axes.across) plane.width = half_of(plane.width);
    if (axes.down) plane.height = half_of(plane.height);
  }
  image[0].h_factor = image[0].v_factor = 2;
}

}  // namespace imgpress::press
