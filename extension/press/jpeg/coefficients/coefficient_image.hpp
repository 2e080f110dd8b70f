// An image as a JPEG file holds it: a plane of DCT blocks for each colour component.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// Which quantisation table and which Huffman codes a plane uses. Blue and red, which are Cb and Cr,
// share theirs.
enum class Channel { kLuma, kBlue, kRed };

// One colour component. Its blocks are stored row by row, without the padding blocks that complete
// the MCUs (minimum coded units) at the right and lower edge.
struct Plane {
  std::uint8_t id = 1;  // component identifier in the file
  Channel channel = Channel::kLuma;
  // Sampling factors: blocks of this plane in an MCU, across and down.
  std::uint32_t h_factor = 1;
  std::uint32_t v_factor = 1;
  QuantTable steps{};
  std::uint32_t width = 0;  // in blocks
  std::uint32_t height = 0;
  std::unique_ptr<Block[]> blocks;  // where they are all there at once; uninitialised at first

  std::size_t count() const { return std::size_t{width} * height; }
  void make_blocks() { blocks.reset(new Block[count()]); }
  Block* row(std::uint32_t y) { return blocks.get() + std::size_t{y} * width; }
  const Block* row(std::uint32_t y) const { return blocks.get() + std::size_t{y} * width; }
};

// A plane that differs in its height only, with uninitialised blocks.
Plane plane_like(const Plane& plane, std::uint32_t height);

constexpr std::size_t kMaxPlanes = 4;

using CoefficientImage = std::vector<Plane>;

// Divides the sampling factors by their greatest common divisors: the same image in smaller MCUs.
void reduce_sampling_factors(CoefficientImage& image);

// The most blocks that an MCU of an interleaved scan may have (ITU-T T.81, B.2.3).
constexpr std::size_t kMaxBlocksInMcu = 10;
std::size_t blocks_in_mcu(const CoefficientImage& image);

// How many MCUs cover so many blocks, in one direction.
constexpr std::uint32_t mcus_for(std::uint32_t blocks, std::uint32_t per_mcu) {
  return (blocks + per_mcu - 1) / per_mcu;
}

}  // namespace imgpress::press
