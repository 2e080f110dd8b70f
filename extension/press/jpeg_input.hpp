// A JPEG file that is being read.
#pragma once

#include <cstdint>

#include "core/bytes.hpp"
#include "press/jpeg_guard.hpp"

namespace imgpress::press {

class JpegInput {
 public:
  explicit JpegInput(JpegGuard& guard);
  ~JpegInput();
  JpegInput(const JpegInput&) = delete;
  JpegInput& operator=(const JpegInput&) = delete;

  // Throws FaultError when the header makes no sense, or promises more than max_pixels.
  // The source must outlive this object. From here on memory and number of scans are bounded.
  void read_header(ByteView source, std::uint64_t max_pixels);

  // Once all scans but a single one have been read: throws FaultError(kDamagedImage) when some are
  // missing. What is missing within a scan, libjpeg's warnings tell.
  void check_complete() const;

  jpeg_decompress_struct& state() { return state_; }
  const jpeg_decompress_struct& state() const { return state_; }

 private:
  JpegGuard& guard_;
  jpeg_decompress_struct state_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace imgpress::press
