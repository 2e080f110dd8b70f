#include "press/jpeg/read/baseline_reader.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/block_decoder.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/read/scan_data.hpp"
#include "press/jpeg/rows/narrow_plane.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

constexpr unsigned kLast = kBlockSize - 1;

// No block takes more bytes than this. The reader checks for the end of its data once for each MCU;
// in between it may run into the slack, but not beyond.
constexpr std::size_t kMaxBlockBytes = 64 * (kMaxCodeBits + kMaxLevelBits + 7) / 8;
static_assert(kMaxBlocksInMcu * kMaxBlockBytes + 64 < ScanData::kSlack);

struct PlaneReader {
  const Plane* plane;
  NarrowPlane* blocks;
  const BlockDecoder* decoder;
  int previous_dc;
};

// A block of an MCU, as MCUs are read from left to right.
struct ScanBlock {
  PlaneReader* reader;
  std::uint32_t x;
  std::uint32_t y;
  std::uint32_t width;  // of the row; 0 if it lies beyond the lower edge
};

class Scan {
 public:
  explicit Scan(std::vector<PlaneReader> planes) : planes_(std::move(planes)) {
    const Plane& plane = *planes_[0].plane;
    mcus_across_ = mcus_for(plane.width, plane.h_factor);
    mcus_down_ = mcus_for(plane.height, plane.v_factor);
  }

  std::uint64_t mcu_count() const { return std::uint64_t{mcus_across_} * mcus_down_; }

  // Reads the MCUs `from` to `to` - 1 from bytes that hold exactly these.
  IMGPRESS_CPU_TARGETS
  bool read(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t from,
            std::uint64_t to);

  // To be called at the end. Throws std::bad_alloc if there was too little memory.
  void check_memory() const {
    for (const PlaneReader& reader : planes_) reader.blocks->check_memory();
  }

 private:
  // Lists the blocks of an MCU; returns their end.
  ScanBlock* list_blocks(std::uint32_t mcu_x, std::uint32_t mcu_y, ScanBlock* to);

  std::vector<PlaneReader> planes_;
  std::uint32_t mcus_across_;
  std::uint32_t mcus_down_;
};

ScanBlock* Scan::list_blocks(std::uint32_t mcu_x, std::uint32_t mcu_y, ScanBlock* to) {
  for (PlaneReader& reader : planes_) {
    const Plane& plane = *reader.plane;
    for (std::uint32_t dy = 0; dy < plane.v_factor; ++dy) {
      const std::uint32_t y = mcu_y * plane.v_factor + dy;
      for (std::uint32_t dx = 0; dx < plane.h_factor; ++dx) {
        *to++ = {&reader, mcu_x * plane.h_factor + dx, y, y < plane.height ? plane.width : 0};
      }
    }
  }
  return to;
}

// Reads a block; false if the data is corrupt. Padding blocks beyond the edge are dropped.
IMGPRESS_INLINE bool read_block(BitReader& in, const ScanBlock& block,
                                BlockDecoder::Scratch& scratch) {
  PlaneReader& reader = *block.reader;
  clear(scratch.levels);
  scratch.is_wide = false;
  if (!reader.decoder->read(in, scratch)) return false;
  reader.previous_dc += scratch.levels[0];
  if (reader.previous_dc < kMinDc || reader.previous_dc > kMaxLevel) return false;
  scratch.levels[0] = static_cast<std::int16_t>(reader.previous_dc);
  if (block.x < block.width) {
    reader.blocks->set(block.x, block.y, scratch.levels, scratch.is_wide);
  }
  return true;
}

bool Scan::read(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t from,
                std::uint64_t to) {
  for (PlaneReader& reader : planes_) reader.previous_dc = 0;
  BitReader in(begin);
  BlockDecoder::Scratch scratch;
  auto x = static_cast<std::uint32_t>(from % mcus_across_);
  auto y = static_cast<std::uint32_t>(from / mcus_across_);
  ScanBlock blocks[kMaxBlocksInMcu];
  ScanBlock* const blocks_end = list_blocks(x, y, blocks);
  for (; from < to; ++from) {
    if (in.left(end) < 0) return false;
    for (ScanBlock* block = blocks; block < blocks_end; ++block) {
      if (!read_block(in, *block, scratch)) return false;
      block->x += block->reader->plane->h_factor;
    }
    if (++x < mcus_across_) continue;
    x = 0;
    list_blocks(x, ++y, blocks);
  }
  const std::ptrdiff_t left = in.left(end);
  return left >= 0 && left < 8;
}

bool is_plain_baseline(const jpeg_decompress_struct& header) {
  if (header.progressive_mode != FALSE || header.arith_code != FALSE ||
      header.data_precision != 8 || header.comps_in_scan != header.num_components) {
    return false;
  }
  if (header.Ss != 0 || header.Se != static_cast<int>(kLast) || header.Ah != 0 || header.Al != 0)
    return false;
  for (int i = 0; i < header.num_components; ++i) {
    if (header.cur_comp_info[i] != &header.comp_info[i]) return false;
  }
  return true;
}

// The decoders that were used last. To make one takes as long as to read a thumbnail, and most
// files have the codes that the standard gives as an example (ITU-T T.81, K.3).
class DecoderCache {
 public:
  // nullptr for invalid codes. The decoder remains while fewer than kSize others are asked for.
  // `blocks`: how many will be read with it.
  const BlockDecoder* find(const HuffmanCode& dc, const HuffmanCode& ac, std::size_t blocks) {
    auto place = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
      return entry != nullptr && entry->dc == dc && entry->ac == ac;
    });
    if (place == entries_.end()) {
      std::unique_ptr<Entry> made(new Entry{dc, ac, BlockDecoder::make(dc, ac), 0});
      if (!made->decoder) return nullptr;
      entries_.back() = std::move(made);
      place = entries_.end() - 1;
    }
    std::rotate(entries_.begin(), place, place + 1);
    Entry& found = *entries_.front();
    const bool was_used_little = found.blocks < kBlocksToPair;
    found.blocks += blocks;
    if (was_used_little && found.blocks >= kBlocksToPair) found.decoder->pair_dc_with_ac();
    return &*found.decoder;
  }

 private:
  static constexpr std::size_t kSize = kMaxPlanes;
  static constexpr std::size_t kBlocksToPair = 2048;  // that save as much time as pairing takes

  struct Entry {
    HuffmanCode dc;
    HuffmanCode ac;
    std::optional<BlockDecoder> decoder;
    std::size_t blocks;  // that were read with it
  };

  std::array<std::unique_ptr<Entry>, kSize> entries_;  // the one that was used last comes first
};

// nullptr if the plane has no valid codes.
const BlockDecoder* find_decoder(const LibjpegDecoder& decoder, const jpeg_component_info& info,
                                 const Plane& plane) {
  thread_local DecoderCache cache;
  const auto dc = decoder.huffman_code(CodeClass::kDc, info.dc_tbl_no);
  const auto ac = decoder.huffman_code(CodeClass::kAc, info.ac_tbl_no);
  return dc && ac ? cache.find(*dc, *ac, plane.count()) : nullptr;
}

// `interval`: MCUs between two restart markers.
bool read_intervals(Scan& scan, const ScanData& data, std::uint64_t interval) {
  std::size_t begin = 0;
  std::uint64_t from = 0;
  for (const std::size_t end : data.ends) {
    const std::uint64_t to = std::min(scan.mcu_count(), from + interval);
    if (!scan.read(data.bytes.get() + begin, data.bytes.get() + end, from, to)) return false;
    begin = end;
    from = to;
  }
  return true;
}

}  // namespace

ImageRows read_baseline(const LibjpegDecoder& decoder, const CoefficientImage& image) {
  const jpeg_decompress_struct& header = decoder.state();
  if (!is_plain_baseline(header) || !has_all_tables(decoder)) return {};
  if (blocks_in_mcu(image) > kMaxBlocksInMcu) return {};
  ImageRows rows;
  std::vector<PlaneReader> planes;
  for (std::size_t i = 0; i < image.size(); ++i) {
    auto blocks = std::make_unique<NarrowPlane>(image[i].width, image[i].height);
    const BlockDecoder* const block_decoder = find_decoder(decoder, header.comp_info[i], image[i]);
    if (block_decoder == nullptr) return {};
    planes.push_back({&image[i], blocks.get(), block_decoder, 0});
    rows.push_back(std::move(blocks));
  }
  Scan scan(std::move(planes));
  const std::uint64_t interval =
      header.restart_interval > 0 ? header.restart_interval : scan.mcu_count();
  const std::uint64_t intervals = (scan.mcu_count() + interval - 1) / interval;
  const ScanData data =
      unstuff({header.src->next_input_byte, header.src->bytes_in_buffer}, intervals);
  if (data.marker != JPEG_EOI || !read_intervals(scan, data, interval)) return {};
  scan.check_memory();
  return rows;
}

}  // namespace imgpress::press
