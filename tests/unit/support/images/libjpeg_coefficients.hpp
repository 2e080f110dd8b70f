// The coefficients of a JPEG file as libjpeg reads them, to compare ours with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/rules/fault.hpp"
#include "core/text/bytes.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press::fixtures {

using Coefficients = std::vector<std::vector<std::int16_t>>;  // of each plane; blocks row by row,
                                                              // and so their coefficients

struct LibjpegReading {
  Coefficients planes;
  std::string fault;  // an error, or a warning about damage
};

inline LibjpegReading read_with_libjpeg(ByteView source) {
  LibjpegReading reading;
  try {
    LibjpegGuard guard;
    LibjpegDecoder decoder(guard);
    decoder.read_header(source, {50'000'000});
    jpeg_decompress_struct& in = decoder.state();
    jvirt_barray_ptr* arrays = nullptr;
    guard.run([&] { arrays = jpeg_read_coefficients(&in); });
    for (int i = 0; i < in.num_components; ++i) {
      reading.planes.emplace_back();
      const auto& info = in.comp_info[i];
      for (JDIMENSION y = 0; y < info.height_in_blocks; ++y) {
        const JCOEF* row = in.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&in),
                                                      arrays[i], y, 1, FALSE)[0][0];
        reading.planes.back().insert(reading.planes.back().end(), row,
                                     row + std::size_t{info.width_in_blocks} * 64);
      }
    }
  } catch (const FaultError& error) {
    reading.fault = error.what();
  }
  return reading;
}

inline void append_in_rows(const Block& block, std::vector<std::int16_t>& levels) {
  const std::size_t begin = levels.size();
  levels.resize(begin + 64);
  for (std::size_t i = 0; i < 64; ++i) levels[begin + kZigzag[i]] = block.at[i];
}

// The coefficients of an image in the same order.
inline Coefficients in_rows(const CoefficientImage& picture) {
  Coefficients planes;
  for (const Plane& plane : picture) {
    planes.emplace_back();
    for (std::size_t b = 0; b < plane.count(); ++b) append_in_rows(plane.blocks[b], planes.back());
  }
  return planes;
}

// The same for one whose blocks are in `rows`.
inline Coefficients in_rows(const CoefficientImage& picture, const ImageRows& rows) {
  Coefficients planes;
  for (std::size_t i = 0; i < picture.size(); ++i) {
    planes.emplace_back();
    std::vector<Block> row(picture[i].width);
    for (std::uint32_t y = 0; y < picture[i].height; ++y) {
      rows[i]->read(y, row.data());
      for (const Block& block : row) append_in_rows(block, planes.back());
    }
  }
  return planes;
}

}  // namespace imgpress::press::fixtures
