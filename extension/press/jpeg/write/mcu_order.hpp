// The order in which a scan of all planes has their blocks: unit (MCU) by unit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

// A file has two codes of each class: one for light, one for colour.
constexpr std::uint8_t kCodeSlots = 2;

inline std::uint8_t code_slot(const Plane& plane) {
  return plane.channel == Channel::kLight ? 0 : 1;
}

inline std::size_t blocks_in_row(const CodedPicture& picture) {
  std::size_t blocks = 0;
  for (const Plane& plane : picture) {
    blocks += std::size_t{units_of(plane.width, plane.across)} * plane.across * plane.down;
  }
  return blocks;
}

// Calls visit(plane's index, block) for the blocks of a row of units. Those that only fill up an
// edge are nullptr.
template <typename Visit>
IMGPRESS_INLINE void visit_row(const CodedPicture& picture, std::uint32_t unit_y, Visit visit) {
  const std::uint32_t units = units_of(picture[0].width, picture[0].across);
  for (std::uint32_t unit_x = 0; unit_x < units; ++unit_x) {
    for (std::size_t i = 0; i < picture.size(); ++i) {
      const Plane& plane = picture[i];
      const std::uint32_t left = unit_x * plane.across;
      const std::uint32_t top = unit_y * plane.down;
      for (std::uint32_t y = top; y < top + plane.down; ++y) {
        for (std::uint32_t x = left; x < left + plane.across; ++x) {
          visit(i, y < plane.height && x < plane.width ? plane.row(y) + x : nullptr);
        }
      }
    }
  }
}

// The steps of first coefficients from block to block of each plane.
class Steps {
 public:
  IMGPRESS_INLINE int take(std::size_t plane, const Block* block) {
    if (block == nullptr) return 0;
    const int step = block->at[0] - previous_[plane];
    previous_[plane] = block->at[0];
    return step;
  }

 private:
  std::array<int, kMaxPlanes> previous_{};
};

}  // namespace imgpress::press
