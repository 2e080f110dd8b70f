// The blocks of a plane, row by row, whatever they are kept in or come from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "press/jpeg/coefficients/block_requantiser.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

class BlockRows {
 public:
  explicit BlockRows(std::uint32_t width) : width_(width) {}
  virtual ~BlockRows() = default;

  // Copies row `y` to `to`. Rows may be read in any order, and more than once.
  virtual void read(std::uint32_t y, Block* to) = 0;

  // The same, requantised.
  virtual void read(std::uint32_t y, const BlockRequantiser& requantiser, Block* to) {
    read(y, to);
    requantiser.apply(to, width_);
  }

  std::uint32_t width() const { return width_; }  // in blocks

 private:
  std::uint32_t width_;
};

// Those of a plane whose blocks are all there.
class PlaneRows : public BlockRows {
 public:
  explicit PlaneRows(const Plane& plane) : BlockRows(plane.width), plane_(plane) {}

  using BlockRows::read;
  void read(std::uint32_t y, Block* to) override { std::copy_n(plane_.row(y), width(), to); }

 private:
  const Plane& plane_;
};

// Those of each plane of an image.
using ImageRows = std::vector<std::unique_ptr<BlockRows>>;

}  // namespace imgpress::press
