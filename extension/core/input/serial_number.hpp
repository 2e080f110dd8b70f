// Reads serial numbers as people and spreadsheets write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/text/text_scan.hpp"

namespace imgpress {

struct SerialNumber {
  std::int64_t value = 0;
  std::string fault;  // why the text is not a serial number, or empty
};

// Accepts integers with a sign, thousands separators (1,000; 1 000; 1'000; 1.000.000) or a fraction
// of zeros (1.0; 1,00). Numbers that are ambiguous (1.000) or have lost digits (1E+05) are faults.
SerialNumber read_serial_number(std::string_view text, WorkMeter& meter);

}  // namespace imgpress
