// A JPEG file that is being written, into memory of a fixed size: what would not fit is not wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "press/codec/image_metadata.hpp"
#include "press/jpeg/libjpeg_guard.hpp"

namespace imgpress::press {

class LibjpegEncoder {
 public:
  // Steps of the guard that write return false once `size_limit` bytes are reached: only smaller
  // files succeed.
  LibjpegEncoder(LibjpegGuard& guard, std::size_t size_limit);
  ~LibjpegEncoder();
  LibjpegEncoder(const LibjpegEncoder&) = delete;
  LibjpegEncoder& operator=(const LibjpegEncoder&) = delete;

  jpeg_compress_struct& state() { return state_; }

  // Inside a step of the guard, after the start of the compression and before the picture.
  void write_metadata(const ImageMetadata& metadata);

  // After jpeg_finish_compress.
  std::vector<std::uint8_t> take_bytes() const;

 private:
  static void begin(j_compress_ptr jpeg);
  static boolean overflow(j_compress_ptr jpeg);
  static void end(j_compress_ptr jpeg);

  std::size_t size_limit_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  jpeg_destination_mgr destination_{};
  jpeg_compress_struct state_{};
};

}  // namespace imgpress::press
