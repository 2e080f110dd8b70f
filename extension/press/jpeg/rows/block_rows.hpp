// The blocks of a plane, row by row, whatever they are kept in or come from.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "press/jpeg/coefficients/block.hpp"

namespace imgpress::press {

class BlockRows {
 public:
  virtual ~BlockRows() = default;

  // Copies row `y` to `to`. Rows may be read in any order, and more than once.
  virtual void read(std::uint32_t y, Block* to) = 0;
};

// Those of each plane of an image.
using ImageRows = std::vector<std::unique_ptr<BlockRows>>;

}  // namespace imgpress::press
