// Writes the segments of a JPEG file (ITU-T T.81, annex B).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/huffman_code.hpp"
#include "press/codec/image_metadata.hpp"

namespace imgpress::press {

enum class JpegMarker : std::uint8_t {
  kStartOfBaselineFrame = 0xC0,
  kStartOfExtendedFrame = 0xC1,
  kStartOfProgressiveFrame = 0xC2,
  kHuffmanCode = 0xC4,
  kStartOfImage = 0xD8,
  kEndOfImage = 0xD9,
  kStartOfScan = 0xDA,
  kQuantTable = 0xDB,
  kApp0 = 0xE0,
  kApp1 = 0xE1,
  kApp2 = 0xE2,
  kApp14 = 0xEE,
};

// The pixel density in the JFIF segment. By default: square pixels of unknown size.
struct PixelDensity {
  std::uint8_t unit = 0;
  std::uint16_t across = 1;
  std::uint16_t down = 1;
};

// What the file's headers say about the image.
struct FrameHeader {
  std::uint32_t width = 0;  // in pixels
  std::uint32_t height = 0;
  bool jfif = false;
  PixelDensity density;
  int adobe_transform = -1;  // colour transform in the Adobe segment; negative for no segment
};

// A component of a scan: the index of its plane, and the slots of its Huffman codes.
struct ScanComponent {
  std::size_t plane;
  std::uint8_t dc_slot;
  std::uint8_t ac_slot;
};

// The coefficients that a scan holds (spectral selection), in zigzag order.
struct Band {
  std::uint8_t first = 0;
  std::uint8_t last = kBlockSize - 1;
};

class SegmentWriter {
 public:
  // `capacity`: bytes to reserve; the file may grow beyond.
  explicit SegmentWriter(std::size_t capacity = 0) { bytes_.reserve(capacity); }

  void put_marker(JpegMarker marker);
  void put_start(const FrameHeader& header, const ImageMetadata& metadata);
  void put_quant_tables(const CoefficientImage& image);
  void put_frame(const FrameHeader& header, const CoefficientImage& image, bool progressive);
  void put_code(CodeClass kind, std::uint8_t slot, const HuffmanCode& code);
  void put_scan(const CoefficientImage& image, const std::vector<ScanComponent>& components,
                Band band);

  // Entropy-coded data of a scan; adds the byte stuffing.
  void put_coded(ByteView data);

  // What another writer has written.
  void put(const SegmentWriter& part) { append({part.bytes_.data(), part.bytes_.size()}); }

  std::size_t size() const { return bytes_.size(); }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  void put_segment(JpegMarker marker, const std::vector<std::uint8_t>& payload);
  void put_icc_profile(const std::vector<std::uint8_t>& profile);
  void append(ByteView more) { bytes_.insert(bytes_.end(), more.data, more.data + more.size); }

  std::vector<std::uint8_t> bytes_;
};

}  // namespace imgpress::press
