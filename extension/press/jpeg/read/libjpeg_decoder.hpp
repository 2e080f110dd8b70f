// A libjpeg decompressor with limits: for its memory, for the number of scans, and for how much of
// a truncated file may be missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"
#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/libjpeg_guard.hpp"

namespace imgpress::press {

// Encoders write about a dozen scans. Each costs a pass over the whole image, so a small file with
// thousands of them would take very long.
constexpr int kMaxScans = 100;

class LibjpegDecoder {
 public:
  explicit LibjpegDecoder(LibjpegGuard& guard);
  ~LibjpegDecoder();
  LibjpegDecoder(const LibjpegDecoder&) = delete;
  LibjpegDecoder& operator=(const LibjpegDecoder&) = delete;

  // Throws FaultError when the header is invalid or states more than `limits` allow. The source
  // must outlive this object. From here on libjpeg's memory and the number of scans are limited.
  void read_header(ByteView source, const PixelLimits& limits);

  // Throws FaultError(kDamagedImage) when too much of the image is missing: anything at all, unless
  // the guard accepts truncation; then most rows must be there, all components, and enough of the
  // low frequencies. To be called when all scans but the last one have been read, and again at the
  // end. (Data missing within a scan is reported by libjpeg's warnings, which the guard judges.)
  void check_complete() const;

  // A sentence about what is missing; empty for a complete image.
  std::string missing_part() const;

  // The Huffman code in a slot, which the file may give any number. std::nullopt if it is not
  // defined in front of the first scan.
  std::optional<HuffmanCode> huffman_code(CodeClass kind, int slot) const;

  jpeg_decompress_struct& state() { return state_; }
  const jpeg_decompress_struct& state() const { return state_; }

 private:
  bool has_most() const;

  LibjpegGuard& guard_;
  jpeg_decompress_struct state_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace imgpress::press
