// The scans of a progressive JPEG file (ITU-T T.81, annex G): what each holds, and where its data
// is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"

namespace imgpress::press {

struct ProgressiveScan {
  std::vector<std::size_t> planes;  // several: MCU by MCU; else the blocks of one, row by row
  unsigned first = 0;               // its band of coefficients, in zigzag order
  unsigned last = 0;
  unsigned low_bit = 0;                // the lowest bit of a coefficient's magnitude that it tells
  bool refines = false;                // it tells only that bit, else all from there up
  std::vector<HuffmanCode> codes;      // DC: one for each plane; AC: one; none to refine DC
  std::uint64_t restart_interval = 0;  // in MCUs; 0: the whole scan
  ByteView data;                       // with the marker behind it

  bool is_dc() const { return first == 0; }
};

// `decoder` must have read the header and nothing more. std::nullopt if the scans do not make up
// the whole picture, or if anything about them is wrong or unusual.
std::optional<std::vector<ProgressiveScan>> parse_scans(const LibjpegDecoder& decoder,
                                                        const CoefficientImage& image);

}  // namespace imgpress::press
