// The metadata that an output keeps. Everything else (camera, place, thumbnails, text) is dropped.
#pragma once

#include <cstdint>
#include <vector>

namespace imgpress::press {

struct ImageMetadata {
  int orientation = 1;                    // the EXIF tag: 1 (upright) to 8
  std::vector<std::uint8_t> icc_profile;  // empty when the image has none
};

}  // namespace imgpress::press
