#include "press/jpeg/rows/requantised_rows.hpp"

#include <utility>
#include <vector>

#include "press/jpeg/coefficients/plane_requantisation.hpp"

namespace imgpress::press {

RequantisedRows::RequantisedRows(Plane& plane, std::unique_ptr<BlockRows> rows,
                                 const QuantTable& to, Effort effort)
    : BlockRows(plane.width), rows_(std::move(rows)) {
  const QuantTable from = plane.steps;
  plane.steps = coarser_of(from, to);
  if (plane.steps == from) return;
  CoefficientSample sample;
  std::vector<Block> row(plane.width);
  for (std::uint32_t y = 0; y < plane.height; y += sampling_stride(plane, effort)) {
    rows_->read(y, row.data());
    sample.add(row.data(), row.size());
  }
  requantiser_.emplace(from, plane.steps, sample);
}

void RequantisedRows::read(std::uint32_t y, Block* to) {
  if (requantiser_) {
    rows_->read(y, *requantiser_, to);
  } else {
    rows_->read(y, to);
  }
}

}  // namespace imgpress::press
