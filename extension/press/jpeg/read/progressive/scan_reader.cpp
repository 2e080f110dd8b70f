#include "press/jpeg/read/progressive/scan_reader.hpp"

#include <algorithm>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/read/progressive/band_reader.hpp"

namespace imgpress::press {
namespace {

// The readers check for the end of the data once for each MCU. In between they may run into the
// slack, but not beyond.
constexpr std::size_t kMaxBlockBytes = kBlockSize * (kMaxCodeBits + 15 + 1 + 7) / 8;
static_assert(kMaxBlocksInMcu * kMaxBlockBytes + 64 < ScanData::kSlack);

std::uint64_t count_mcus(const ProgressiveScan& scan, const CoefficientImage& image) {
  const Plane& plane = image[scan.planes[0]];
  if (scan.planes.size() == 1) return plane.count();
  return std::uint64_t{mcus_for(plane.width, plane.h_factor)} *
         mcus_for(plane.height, plane.v_factor);
}

}  // namespace

ScanReader::ScanReader(const ProgressiveScan& scan, const CoefficientImage& image)
    : scan_(&scan), image_(&image), mcus_behind_(count_mcus(scan, image)) {
  const std::uint64_t interval = scan.restart_interval > 0 ? scan.restart_interval : mcus_behind_;
  data_ = unstuff(scan.data, (mcus_behind_ + interval - 1) / interval);
  for (const std::size_t i : scan.planes) {
    Component component;
    component.width = image[i].width;
    if (scan.planes.size() > 1) {
      component.across = image[i].h_factor;
      component.down = image[i].v_factor;
    }
    components_.push_back(component);
  }
  begin_interval();
}

bool ScanReader::make_codes() {
  const bool is_dc = scan_->is_dc();
  const unsigned most_bits = is_dc ? kMaxDcBits : scan_->refines ? 1 : kMaxLevelBits;
  for (const HuffmanCode& code : scan_->codes) {
    const std::optional<HuffmanDecoder> decoder =
        HuffmanDecoder::make(is_dc ? SymbolKind::kDc : SymbolKind::kBand,
                             scan_->refines ? most_bits : most_bits - scan_->low_bit, code);
    if (!decoder) return false;
    codes_.push_back(*decoder);
  }
  return true;
}

std::optional<ScanReader> ScanReader::make(const ProgressiveScan& scan,
                                           const CoefficientImage& image) {
  ScanReader reader(scan, image);
  if (reader.data_.marker == 0 || !reader.make_codes()) return std::nullopt;
  return reader;
}

void ScanReader::begin_interval() {
  const std::size_t begin = interval_ == 0 ? 0 : data_.ends[interval_ - 1];
  in_ = BitReader(data_.bytes.get() + begin);
  mcus_left_ =
      scan_->restart_interval > 0 ? std::min(scan_->restart_interval, mcus_behind_) : mcus_behind_;
  mcus_behind_ -= mcus_left_;
  for (Component& component : components_) component.previous = 0;
}

// False if the interval was longer or shorter than its MCUs.
bool ScanReader::end_interval() {
  const std::ptrdiff_t left = in_.left(interval_end());
  if (left < 0 || left >= 8 || blocks_left_ > 0) return false;
  if (++interval_ < data_.ends.size()) begin_interval();
  return true;
}

bool ScanReader::read(const std::vector<OpenRows>& rows) {
  if (scan_->planes.size() > 1) return read_interleaved(rows);
  const Plane& plane = (*image_)[scan_->planes[0]];
  for (const OpenRow& row : rows[scan_->planes[0]]) {
    if (row.blocks != nullptr && !read_row(plane, row)) return false;
  }
  return true;
}

bool ScanReader::read_interleaved(const std::vector<OpenRows>& rows) {
  for (std::size_t i = 0; i < components_.size(); ++i) components_[i].rows = rows[scan_->planes[i]];
  const std::uint32_t mcus = mcus_for(components_[0].width, components_[0].across);
  return read_mcus(mcus, [this](std::uint32_t begin, std::uint32_t end) {
    return scan_->refines ? refine_dc(begin, end) : read_dc(begin, end);
  });
}

// Of a scan of a single plane.
bool ScanReader::read_row(const Plane& plane, OpenRow row) {
  components_[0].rows[0] = row;
  return read_mcus(plane.width, [this, row](std::uint32_t begin, std::uint32_t end) {
    if (scan_->is_dc()) return scan_->refines ? refine_dc(begin, end) : read_dc(begin, end);
    return scan_->refines ? refine_band(row, begin, end) : read_band(row, begin, end);
  });
}

// Calls read(begin, end) for the MCUs of a row that belong to the same interval.
template <typename Read>
bool ScanReader::read_mcus(std::uint32_t count, Read read) {
  for (std::uint32_t begin = 0; begin < count;) {
    const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, begin + mcus_left_));
    if (!read(begin, end)) return false;
    mcus_left_ -= end - begin;
    if (mcus_left_ == 0 && !end_interval()) return false;
    begin = end;
  }
  return true;
}

// Calls read_block(index of the component, block) for each block; padding is nullptr.
template <typename ReadBlock>
IMGPRESS_INLINE bool ScanReader::visit_dc(BitReader& in, std::uint32_t begin, std::uint32_t end,
                                          ReadBlock read_block) {
  const std::uint8_t* const data_end = interval_end();
  for (std::uint32_t mcu = begin; mcu < end; ++mcu) {
    if (in.left(data_end) < 0) return false;
    for (std::size_t i = 0; i < components_.size(); ++i) {
      const Component& component = components_[i];
      for (std::uint32_t dy = 0; dy < component.down; ++dy) {
        Block* const row = component.rows[dy].blocks;
        const std::uint32_t left = mcu * component.across;
        for (std::uint32_t x = left; x < left + component.across; ++x) {
          if (!read_block(i, row != nullptr && x < component.width ? row + x : nullptr)) {
            return false;
          }
        }
      }
    }
  }
  return true;
}

IMGPRESS_CPU_TARGETS
bool ScanReader::read_dc(std::uint32_t begin, std::uint32_t end) {
  BitReader in = in_;
  const unsigned low_bit = scan_->low_bit;
  const bool intact =
      visit_dc(in, begin, end, [&](std::size_t i, Block* block) IMGPRESS_INLINE_LAMBDA {
        in.fill();
        const SymbolLookup found = codes_[i].find(in.upcoming());
        if (found.bits == 0) return false;
        int& previous = components_[i].previous;
        previous += value_in(in.upcoming(), found);
        in.consume(found.bits);
        const int level = previous * (1 << low_bit);
        if (level < kMinDc || level > kMaxLevel) return false;
        if (block != nullptr) block->at[0] = static_cast<std::int16_t>(level);
        return true;
      });
  in_ = in;
  return intact;
}

IMGPRESS_CPU_TARGETS
bool ScanReader::refine_dc(std::uint32_t begin, std::uint32_t end) {
  BitReader in = in_;
  const unsigned low_bit = scan_->low_bit;
  const bool intact =
      visit_dc(in, begin, end, [&](std::size_t, Block* block) IMGPRESS_INLINE_LAMBDA {
        in.fill();
        const auto bit = static_cast<int>(in.upcoming() >> 63);
        in.consume(1);
        if (block != nullptr) block->at[0] |= static_cast<std::int16_t>(bit << low_bit);
        return true;
      });
  in_ = in;
  return intact;
}

IMGPRESS_CPU_TARGETS
bool ScanReader::read_band(OpenRow row, std::uint32_t begin, std::uint32_t end) {
  BitReader in = in_;
  const std::uint8_t* const data_end = interval_end();
  const BandCode code{codes_[0], scan_->first, scan_->last, scan_->low_bit};
  std::uint32_t blocks_left = blocks_left_;
  for (std::uint32_t x = begin; x < end; ++x) {
    if (blocks_left > 0) {
      const std::uint32_t skipped = std::min(blocks_left, end - x);
      blocks_left -= skipped;
      x += skipped - 1;
      continue;
    }
    if (in.left(data_end) < 0) return false;
    const int run = read_levels(in, code, row.blocks[x], row.nonzero[x]);
    if (run < 0) return false;
    if (run > 0) blocks_left = static_cast<std::uint32_t>(run) - 1;
  }
  in_ = in;
  blocks_left_ = blocks_left;
  return true;
}

IMGPRESS_CPU_TARGETS
bool ScanReader::refine_band(OpenRow row, std::uint32_t begin, std::uint32_t end) {
  BitReader in = in_;
  const std::uint8_t* const data_end = interval_end();
  const BandCode code{codes_[0], scan_->first, scan_->last, scan_->low_bit};
  std::uint32_t blocks_left = blocks_left_;
  for (std::uint32_t x = begin; x < end; ++x) {
    if (in.left(data_end) < 0) return false;
    if (blocks_left > 0) {
      --blocks_left;
      refine_rest(in, code, row.blocks[x], row.nonzero[x]);
      continue;
    }
    const int run = refine_levels(in, code, row.blocks[x], row.nonzero[x]);
    if (run < 0) return false;
    if (run > 0) blocks_left = static_cast<std::uint32_t>(run) - 1;
  }
  in_ = in;
  blocks_left_ = blocks_left;
  return true;
}

}  // namespace imgpress::press
