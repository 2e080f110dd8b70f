// The coefficients of one colour component of a JPEG that has been read, row of blocks by row of
// blocks.
#pragma once

#include <cstdint>

#include "press/jpeg_guard.hpp"

namespace imgpress::press {

class JpegBlockRows {
 public:
  JpegBlockRows(jpeg_decompress_struct& state, jvirt_barray_ptr array, JDIMENSION width,
                JDIMENSION height)
      : state_(&state), array_(array), width_(width), height_(height) {}

  // In blocks, without those that only fill up the edge.
  JDIMENSION width() const { return width_; }
  JDIMENSION height() const { return height_; }

  jvirt_barray_ptr array() const { return array_; }

  // Inside a step of the guard. The pointer is good until the next call.
  std::int16_t* row(JDIMENSION y) const {
    const auto common = reinterpret_cast<j_common_ptr>(state_);
    return &state_->mem->access_virt_barray(common, array_, y, 1, TRUE)[0][0][0];
  }

 private:
  jpeg_decompress_struct* state_;
  jvirt_barray_ptr array_;
  JDIMENSION width_;
  JDIMENSION height_;
};

}  // namespace imgpress::press
