// The order of blocks in an interleaved scan: MCU by MCU (ITU-T T.81, A.2.3).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

// Our files have two Huffman codes of each class: one for luma, one for chroma.
constexpr std::uint8_t kCodeSlots = 2;

inline std::uint8_t code_slot(const Plane& plane) {
  return plane.channel == Channel::kLuma ? 0 : 1;
}

inline std::size_t blocks_in_mcu_row(const CoefficientImage& image) {
  std::size_t blocks = 0;
  for (const Plane& plane : image) {
    blocks += std::size_t{mcus_for(plane.width, plane.h_factor)} * plane.h_factor * plane.v_factor;
  }
  return blocks;
}

// A block of an MCU, as MCUs are visited from left to right.
struct McuBlock {
  std::size_t plane;
  const Block* row;
  std::uint32_t x;
  std::uint32_t width;  // of the row; 0 if it lies beyond the lower edge
  std::uint32_t step;   // to the next MCU
};

// Calls visit(index of the plane, block) for the blocks of `part`, a row of MCUs. Padding blocks
// beyond an edge are nullptr. An MCU must not have more than kMaxBlocksInMcu.
template <typename Visit>
IMGPRESS_INLINE void visit_mcu_row(const CoefficientImage& part, Visit visit) {
  McuBlock blocks[kMaxBlocksInMcu];
  McuBlock* end = blocks;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const Plane& plane = part[i];
    for (std::uint32_t y = 0; y < plane.v_factor; ++y) {
      for (std::uint32_t x = 0; x < plane.h_factor; ++x) {
        *end++ = {i, plane.row(y), x, y < plane.height ? plane.width : 0, plane.h_factor};
      }
    }
  }
  for (std::uint32_t units = mcus_for(part[0].width, part[0].h_factor); units > 0; --units) {
    for (McuBlock* it = blocks; it < end; ++it) {
      visit(it->plane, it->x < it->width ? it->row + it->x : nullptr);
      it->x += it->step;
    }
  }
}

// DC coefficients are coded as differences to that of the previous block of the same plane.
class DcPredictor {
 public:
  IMGPRESS_INLINE int difference(std::size_t plane, const Block* block) {
    if (block == nullptr) return 0;
    const int difference = block->at[0] - previous_[plane];
    previous_[plane] = block->at[0];
    return difference;
  }

 private:
  std::array<int, kMaxPlanes> previous_{};
};

}  // namespace imgpress::press
