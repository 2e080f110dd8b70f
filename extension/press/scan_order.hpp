// The order in which a scan of all planes has their blocks: unit (MCU) by unit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/coded_picture.hpp"
#include "press/wide_registers.hpp"

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

// Calls visit(plane's index, block) for the blocks of row `y` of units. Those that only fill up an
// edge are nullptr.
template <typename Visit>
IMGPRESS_INLINE void visit_row(const CodedPicture& picture, std::uint32_t y, Visit visit) {
  const std::uint32_t units = units_of(picture[0].width, picture[0].across);
  for (std::uint32_t x = 0; x < units; ++x) {
    for (std::size_t i = 0; i < picture.size(); ++i) {
      const Plane& plane = picture[i];
      for (std::uint32_t v = y * plane.down; v < (y + 1) * plane.down; ++v) {
        for (std::uint32_t h = x * plane.across; h < (x + 1) * plane.across; ++h) {
          visit(i, v < plane.height && h < plane.width ? plane.row(v) + h : nullptr);
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
