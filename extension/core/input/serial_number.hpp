// Serial numbers as people and spreadsheets write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/text/text_scan.hpp"

namespace imgpress {

struct SerialNumber {
  std::int64_t value = 0;
  std::string fault;  // why the text is no serial number, or empty
};

// Takes integers with a sign, with thousands set apart (1,000; 1 000; 1'000; 1.000.000) and with a
// fraction of zeros (1.0; 1,00). What can be read in two ways, or has lost digits (1E+05), is a
// fault.
SerialNumber read_serial_number(std::string_view text, WorkMeter& meter);

}  // namespace imgpress
