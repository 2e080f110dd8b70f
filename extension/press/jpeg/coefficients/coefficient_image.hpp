// A picture as JPEG holds it: planes of blocks of frequencies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// What the numbers of a plane are.
enum class Channel { kLuma, kChroma };

// One colour component. Its blocks are row by row, without those that only fill up its edges.
struct Plane {
  std::uint8_t id = 1;  // the file's name for it
  Channel channel = Channel::kLuma;
  std::uint32_t h_factor = 1;  // blocks in a unit (MCU) of the file: its sampling factors
  std::uint32_t v_factor = 1;
  QuantTable steps{};
  std::uint32_t width = 0;  // in blocks
  std::uint32_t height = 0;
  std::unique_ptr<Block[]> blocks;  // written before they are read

  std::size_t count() const { return std::size_t{width} * height; }
  void make_blocks() { blocks.reset(new Block[count()]); }
  Block* row(std::uint32_t y) { return blocks.get() + std::size_t{y} * width; }
  const Block* row(std::uint32_t y) const { return blocks.get() + std::size_t{y} * width; }
};

constexpr std::size_t kMaxPlanes = 4;

using CoefficientImage = std::vector<Plane>;

// Makes the units of a file as small as they can be, now that its blocks have been read.
void reduce_sampling_factors(CoefficientImage& image);

// The most blocks in a unit of a scan of all planes (ITU-T T.81, B.2.3).
constexpr std::size_t kMaxBlocksInMcu = 10;
std::size_t blocks_in_mcu(const CoefficientImage& image);

// How many units a plane takes, across or down.
constexpr std::uint32_t mcus_for(std::uint32_t blocks, std::uint32_t per_mcu) {
  return (blocks + per_mcu - 1) / per_mcu;
}

}  // namespace imgpress::press
