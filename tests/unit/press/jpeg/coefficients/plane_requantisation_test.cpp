#include "press/jpeg/coefficients/plane_requantisation.hpp"

#include <gtest/gtest.h>

namespace imgpress::press {
namespace {

// A file's tables may have steps of 16 bits.
TEST(QuantisePlane, StepsOfAnySizeLeaveNoLevelThatTheyAreTooCoarseFor) {
  for (const int step : {4095, 4096, 4097, 8192, 65535}) {
    Plane plane;
    plane.width = plane.height = 1;
    plane.make_blocks();
    for (std::int16_t& coefficient : plane.blocks[0].at) coefficient = 1000 * kFineness;
    QuantTable steps;
    steps.fill(static_cast<std::uint16_t>(step));
    plane.steps = steps;
    quantise_plane(plane);
    for (const std::int16_t level : plane.blocks[0].at) EXPECT_EQ(level, 0) << step;
  }
}

}  // namespace
}  // namespace imgpress::press
