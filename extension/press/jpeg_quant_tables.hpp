// The quantisation tables of libjpeg objects, as values.
#pragma once

#include <array>

#include "press/jpeg_input.hpp"
#include "press/jpeg_output.hpp"
#include "press/requantiser.hpp"

namespace imgpress::press {

// One table for each colour component.
using ComponentTables = std::array<QuantTable, MAX_COMPS_IN_SCAN>;

// Those that the source was quantised with; known once its picture is being read.
ComponentTables source_tables(const JpegInput& input);

// Those of an IJG quality, for the components of `output`, whose colour space must be set.
ComponentTables quality_tables(JpegGuard& guard, JpegOutput& output, int quality);

// Stores the tables in `output`, equal ones once.
void use_tables(JpegGuard& guard, JpegOutput& output, const ComponentTables& tables);

}  // namespace imgpress::press
