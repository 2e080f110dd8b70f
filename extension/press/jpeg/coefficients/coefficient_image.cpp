#include "press/jpeg/coefficients/coefficient_image.hpp"

#include <numeric>

namespace imgpress::press {

void simplify_units(CodedPicture& picture) {
  std::uint32_t across = 0;
  std::uint32_t down = 0;
  for (const Plane& plane : picture) {
    across = std::gcd(across, plane.across);
    down = std::gcd(down, plane.down);
  }
  for (Plane& plane : picture) {
    plane.across /= across;
    plane.down /= down;
  }
}

std::size_t blocks_in_unit(const CodedPicture& picture) {
  std::size_t blocks = 0;
  for (const Plane& plane : picture) blocks += std::size_t{plane.across} * plane.down;
  return blocks;
}

}  // namespace imgpress::press
