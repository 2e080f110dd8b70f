// Quantisation tables for tests.
#pragma once

#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press::fixtures {

inline QuantTable uniform(std::uint16_t step) {
  QuantTable table;
  table.fill(step);
  return table;
}

}  // namespace imgpress::press::fixtures
