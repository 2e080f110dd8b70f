// A JPEG file that is being read.
#pragma once

#include <cstdint>
#include <string>

#include "core/text/bytes.hpp"
#include "press/jpeg/libjpeg_guard.hpp"

namespace imgpress::press {

class LibjpegDecoder {
 public:
  explicit LibjpegDecoder(LibjpegGuard& guard);
  ~LibjpegDecoder();
  LibjpegDecoder(const LibjpegDecoder&) = delete;
  LibjpegDecoder& operator=(const LibjpegDecoder&) = delete;

  // Throws FaultError when the header makes no sense, or promises more than max_pixels.
  // The source must outlive this object. From here on libjpeg's memory and the number of scans are
  // bounded.
  void read_header(ByteView source, std::uint64_t max_pixels);

  // Once all scans but a single one have been read, and again after that one: throws
  // FaultError(kDamagedImage) when too much is missing. That is anything at all, unless the guard
  // tolerates a cut: then the picture must show over most of its rows, in all colours and more than
  // its coarsest shapes. What is missing within a scan otherwise, libjpeg's warnings tell.
  void check_complete() const;

  // A sentence about what is missing; empty for a complete picture.
  std::string missing_part() const;

  jpeg_decompress_struct& state() { return state_; }
  const jpeg_decompress_struct& state() const { return state_; }

 private:
  bool shows_most() const;

  LibjpegGuard& guard_;
  jpeg_decompress_struct state_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace imgpress::press
