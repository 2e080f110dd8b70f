// Quantisation tables of libjpeg objects as values of type QuantTable.
#pragma once

#include <array>

#include "press/codec/codec.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// One table for each colour component.
using ComponentTables = std::array<QuantTable, MAX_COMPS_IN_SCAN>;

// The tables of the source. A file may redefine them between scans: until the image has been read
// these are the ones that precede the first scan.
ComponentTables source_tables(const LibjpegDecoder& decoder);

// False if a component refers to a table that the file does not define.
bool has_all_tables(const LibjpegDecoder& decoder);

// The standard tables for a quality of 1 to 100, scaled by the rule of the IJG.
QualityTables standard_tables(LibjpegGuard& guard, int quality);

// The tables for a quality and an effort: the standard ones for it, or for "small" visual_tables().
QualityTables quality_tables(const QualityTables& standard, const CodecOptions& options,
                             SourceDetail detail);

}  // namespace imgpress::press
