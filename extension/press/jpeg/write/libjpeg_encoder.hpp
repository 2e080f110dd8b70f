// A libjpeg compressor that writes to memory of a fixed size, and stops when that is full: a result
// as large as its source is not wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "press/codec/image_metadata.hpp"
#include "press/jpeg/libjpeg_guard.hpp"

namespace imgpress::press {

class LibjpegEncoder {
 public:
  // A file that reaches `size_limit` bytes is given up: LibjpegGuard::run() returns false.
  LibjpegEncoder(LibjpegGuard& guard, std::size_t size_limit);
  ~LibjpegEncoder();
  LibjpegEncoder(const LibjpegEncoder&) = delete;
  LibjpegEncoder& operator=(const LibjpegEncoder&) = delete;

  jpeg_compress_struct& state() { return state_; }

  // For effort "small", in a step of the guard, once the components have been described. Writes few
  // scans, each in full precision: with steps as coarse as ours that makes smaller files than the
  // ten scans of jpeg_simple_progression, in less time.
  void use_progressive_scans();

  // To be called in a step of the guard, between jpeg_start_compress and the first row.
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
