// The blocks of a plane in half the memory: a byte for each level. A block with a level that needs
// more has its upper bytes elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

typedef std::int8_t SixteenBytes __attribute__((vector_size(16)));

class NarrowPlane : public BlockRows {
 public:
  // Memory for so many blocks, uninitialised.
  NarrowPlane(std::uint32_t width, std::uint32_t height);

  // Sets a block, once. `levels` must be aligned as a Block. `is_wide`: false if all AC levels fit
  // into a byte.
  IMGPRESS_INLINE void set(std::uint32_t x, std::uint32_t y, const std::int16_t* levels,
                           bool is_wide) {
    const std::size_t place = std::size_t{y} * width() + x;
    narrow(levels, blocks_[place]);
    dc_[place] = levels[0];
    if (__builtin_expect(is_wide, 0)) set_upper_bytes(x, y, levels);
  }

  // Sets a whole row, once.
  void set_row(std::uint32_t y, const Block* blocks);

  // To be called when all blocks are set. Throws std::bad_alloc if there was too little memory for
  // them, which the functions above may not do.
  void check_memory() const;

  void read(std::uint32_t y, Block* to) override;
  void read(std::uint32_t y, const BlockRequantiser& requantiser, Block* to) override;

 private:
  // The upper bytes of the levels in a block that has wide ones.
  struct UpperBytes {
    std::uint32_t x;
    std::int8_t at[kBlockSize];
  };

  // Keeps the lower byte of each level.
  static IMGPRESS_INLINE void narrow(const std::int16_t* levels, NarrowBlock& block) {
    const auto* from = reinterpret_cast<const Sixteen*>(levels);
    auto* to = reinterpret_cast<SixteenBytes*>(block.at);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kBlockSize / 16; ++i) {
      to[i] = __builtin_convertvector(from[i], SixteenBytes);
    }
  }

  void set_upper_bytes(std::uint32_t x, std::uint32_t y, const std::int16_t* levels) noexcept;

  // Completes levels whose lower bytes are in `block`.
  static void add_upper_bytes(const UpperBytes& upper, Block& block);

  std::unique_ptr<NarrowBlock[]> blocks_;
  std::unique_ptr<std::int16_t[]> dc_;          // rarely fits into a byte
  std::vector<std::vector<UpperBytes>> upper_;  // of each row
  bool lacks_memory_ = false;
};

}  // namespace imgpress::press
