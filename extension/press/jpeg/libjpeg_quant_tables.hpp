// The quantisation tables of libjpeg objects, as values.
#pragma once

#include <array>

#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/write/libjpeg_encoder.hpp"
#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// One table for each colour component.
using ComponentTables = std::array<QuantTable, MAX_COMPS_IN_SCAN>;

// Those that the source was quantised with. A file may redefine them between its scans: before its
// picture is read, those of the first one.
ComponentTables source_tables(const LibjpegDecoder& decoder);

// False where the file does not define one of them.
bool has_all_tables(const LibjpegDecoder& decoder);

struct QualityTables {
  QuantTable luma;
  QuantTable chroma;
};

// Those of a quality on the IJG scale, 1 to 100.
QualityTables quality_tables(LibjpegGuard& guard, int quality);

// Stores the tables in `encoder`, equal ones once.
void use_tables(LibjpegGuard& guard, LibjpegEncoder& encoder, const ComponentTables& tables);

}  // namespace imgpress::press
