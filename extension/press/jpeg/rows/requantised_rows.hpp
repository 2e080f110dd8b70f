// Requantises a plane row by row, as it is written: what was read from memory once is in the
// processor's cache, and no plane is kept twice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/block_requantiser.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

class RequantisedRows : public BlockRows {
 public:
  // Only the steps of `to` that are coarser than the plane's replace them. `rows`: the plane's.
  RequantisedRows(Plane& plane, std::unique_ptr<BlockRows> rows, const QuantTable& to,
                  Effort effort);

  void read(std::uint32_t y, Block* to) override;

 private:
  std::unique_ptr<BlockRows> rows_;
  std::optional<BlockRequantiser> requantiser_;  // if steps change
};

}  // namespace imgpress::press
