#include "press/jpeg/coefficients/coefficient_image.hpp"

#include <numeric>

namespace imgpress::press {

Plane plane_like(const Plane& plane, std::uint32_t height) {
  Plane copy;
  copy.id = plane.id;
  copy.channel = plane.channel;
  copy.h_factor = plane.h_factor;
  copy.v_factor = plane.v_factor;
  copy.steps = plane.steps;
  copy.width = plane.width;
  copy.height = height;
  copy.make_blocks();
  return copy;
}

void reduce_sampling_factors(CoefficientImage& image) {
  std::uint32_t across = 0;
  std::uint32_t down = 0;
  for (const Plane& plane : image) {
    across = std::gcd(across, plane.h_factor);
    down = std::gcd(down, plane.v_factor);
  }
  for (Plane& plane : image) {  // every factor is at least 1, and so are their divisors
    plane.h_factor /= across;   // NOLINT(clang-analyzer-core.DivideZero)
    plane.v_factor /= down;     // NOLINT(clang-analyzer-core.DivideZero)
  }
}

std::size_t blocks_in_mcu(const CoefficientImage& image) {
  std::size_t blocks = 0;
  for (const Plane& plane : image) blocks += std::size_t{plane.h_factor} * plane.v_factor;
  return blocks;
}

}  // namespace imgpress::press
