#include "press/jpeg/rows/requantised_rows.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "press/jpeg/coefficients/plane_requantisation.hpp"

namespace imgpress::press {

RequantisedRows::RequantisedRows(Plane& plane, std::unique_ptr<BlockRows> rows,
                                 const QuantTable& to, Effort effort)
    : width_(plane.width), stride_(sampling_stride(plane, effort)), rows_(std::move(rows)) {
  const QuantTable from = plane.steps;
  plane.steps = coarser_of(from, to);
  if (plane.steps == from) return;
  const std::uint32_t count = (plane.height + stride_ - 1) / stride_;
  sampled_.reset(new Block[std::size_t{count} * width_]);
  CoefficientSample sample;
  for (std::uint32_t i = 0; i < count; ++i) {
    Block* const row = sampled_.get() + std::size_t{i} * width_;
    rows_->read(i * stride_, row);
    sample.add(row, width_);
  }
  requantiser_.emplace(from, plane.steps, sample);
}

void RequantisedRows::read(std::uint32_t y, Block* to) {
  if (requantiser_ && y % stride_ == 0) {
    std::copy_n(sampled_.get() + std::size_t{y / stride_} * width_, width_, to);
  } else {
    rows_->read(y, to);
  }
  if (requantiser_) requantiser_->apply(to, width_);
}

}  // namespace imgpress::press
