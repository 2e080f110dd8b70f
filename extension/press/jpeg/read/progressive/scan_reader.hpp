// Reads a scan of a progressive file, one row of MCUs after the other, so that all scans can take
// turns at a row while it is in the cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/huffman_decoder.hpp"
#include "press/jpeg/read/progressive/scan_script.hpp"
#include "press/jpeg/read/scan_data.hpp"

namespace imgpress::press {

// A row of blocks of a plane while it is being read, all zeros at first.
struct OpenRow {
  Block* blocks = nullptr;
  std::uint64_t* nonzero = nullptr;  // for each block a mask of its AC levels that are not zero
};

// The rows of a plane in a row of MCUs. Those beyond the lower edge have no blocks.
constexpr std::size_t kMaxFactor = 4;
using OpenRows = std::array<OpenRow, kMaxFactor>;

class ScanReader {
 public:
  // Both must outlive the reader. std::nullopt if the scan is damaged.
  static std::optional<ScanReader> make(const ProgressiveScan& scan, const CoefficientImage& image);

  // Reads the next row of MCUs of the whole image. False if the data is corrupt.
  bool read(const std::vector<OpenRows>& rows);

 private:
  // A plane of a scan for DC coefficients, with its blocks in an MCU.
  struct Component {
    std::uint32_t across = 1;
    std::uint32_t down = 1;
    std::uint32_t width = 0;
    OpenRows rows{};
    int previous = 0;
  };

  ScanReader(const ProgressiveScan& scan, const CoefficientImage& image);
  bool make_codes();
  bool read_interleaved(const std::vector<OpenRows>& rows);
  bool read_row(const Plane& plane, OpenRow row);
  template <typename Read>
  bool read_mcus(std::uint32_t count, Read read);
  void begin_interval();
  bool end_interval();
  const std::uint8_t* interval_end() const { return data_.bytes.get() + data_.ends[interval_]; }

  // These read MCUs of a row, without a restart in between.
  template <typename ReadBlock>
  bool visit_dc(BitReader& in, std::uint32_t begin, std::uint32_t end, ReadBlock read_block);
  bool read_dc(std::uint32_t begin, std::uint32_t end);
  bool refine_dc(std::uint32_t begin, std::uint32_t end);
  bool read_band(OpenRow row, std::uint32_t begin, std::uint32_t end);
  bool refine_band(OpenRow row, std::uint32_t begin, std::uint32_t end);

  const ProgressiveScan* scan_;
  const CoefficientImage* image_;
  std::vector<HuffmanDecoder> codes_;
  std::vector<Component> components_;
  ScanData data_;
  std::size_t interval_ = 0;
  BitReader in_{nullptr};
  std::uint64_t mcus_left_ = 0;    // in the interval
  std::uint64_t mcus_behind_;      // in those that follow
  std::uint32_t blocks_left_ = 0;  // from the next one on, that have no symbols
};

}  // namespace imgpress::press
