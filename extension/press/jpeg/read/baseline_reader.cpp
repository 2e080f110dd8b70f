#include "press/jpeg/read/baseline_reader.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "press/jpeg/read/ac_decoder.hpp"
#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/huffman_decoder.hpp"
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
  const HuffmanDecoder* dc_code;
  const AcDecoder* ac_code;
  int previous_dc;
};

// std::nullopt if the data is corrupt.
IMGPRESS_INLINE std::optional<int> read_dc_difference(BitReader& in, const HuffmanDecoder& code) {
  in.fill();
  const SymbolLookup found = code.find(in.upcoming());
  if (found.bits == 0) return std::nullopt;
  const int difference = value_in(in.upcoming(), found);
  in.consume(found.bits);
  return difference;
}

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
  std::vector<PlaneReader> planes_;
  std::uint32_t mcus_across_;
  std::uint32_t mcus_down_;
};

// Reads a block; false if the data is corrupt.
IMGPRESS_INLINE bool read_block(BitReader& in, PlaneReader& reader, AcDecoder::Scratch& scratch) {
  clear(scratch.levels);
  scratch.is_wide = false;
  const std::optional<int> difference = read_dc_difference(in, *reader.dc_code);
  if (!difference) return false;
  reader.previous_dc += *difference;
  if (reader.previous_dc < kMinDc || reader.previous_dc > kMaxLevel) return false;
  scratch.levels[0] = static_cast<std::int16_t>(reader.previous_dc);
  return reader.ac_code->read(in, scratch);
}

// Reads the blocks of one plane in an MCU. Padding blocks beyond the edge are dropped.
IMGPRESS_INLINE bool read_mcu(BitReader& in, PlaneReader& reader, std::uint32_t mcu_x,
                              std::uint32_t mcu_y, AcDecoder::Scratch& scratch) {
  const Plane& plane = *reader.plane;
  const std::uint32_t left = mcu_x * plane.h_factor;
  const std::uint32_t top = mcu_y * plane.v_factor;
  for (std::uint32_t y = top; y < top + plane.v_factor; ++y) {
    for (std::uint32_t x = left; x < left + plane.h_factor; ++x) {
      if (!read_block(in, reader, scratch)) return false;
      if (y < plane.height && x < plane.width) {
        reader.blocks->set(x, y, scratch.levels, scratch.is_wide);
      }
    }
  }
  return true;
}

bool Scan::read(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t from,
                std::uint64_t to) {
  for (PlaneReader& reader : planes_) reader.previous_dc = 0;
  BitReader in(begin);
  AcDecoder::Scratch scratch;
  auto x = static_cast<std::uint32_t>(from % mcus_across_);
  auto y = static_cast<std::uint32_t>(from / mcus_across_);
  for (; from < to; ++from) {
    if (in.left(end) < 0) return false;
    for (PlaneReader& reader : planes_) {
      if (!read_mcu(in, reader, x, y, scratch)) return false;
    }
    if (++x < mcus_across_) continue;
    x = 0;
    ++y;
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

// The decoders of one kind that were used last. To make one takes as long as to read a thumbnail,
// and most files have the codes that the standard gives as an example (ITU-T T.81, K.3).
template <typename Decoder>
class DecoderCache {
 public:
  // nullptr for an invalid code. The decoder remains while no more than kSize others are asked for.
  template <typename Make>
  const Decoder* find(const HuffmanCode& code, Make make) {
    auto place = std::find_if(entries_.begin(), entries_.end(), [&code](const auto& entry) {
      return entry != nullptr && entry->code == code;
    });
    if (place == entries_.end()) {
      std::optional<Decoder> decoder = make(code);
      if (!decoder) return nullptr;
      entries_.back() = std::make_unique<Entry>(Entry{code, *decoder});
      place = entries_.end() - 1;
    }
    std::rotate(entries_.begin(), place, place + 1);
    return &entries_.front()->decoder;
  }

 private:
  static constexpr std::size_t kSize = NUM_HUFF_TBLS;  // that an image may have of one class

  struct Entry {
    HuffmanCode code;
    Decoder decoder;
  };

  std::array<std::unique_ptr<Entry>, kSize> entries_;  // the one that was used last comes first
};

const HuffmanDecoder* find_dc_decoder(const std::optional<HuffmanCode>& code) {
  thread_local DecoderCache<HuffmanDecoder> cache;
  const auto make = [](const HuffmanCode& it) {
    return HuffmanDecoder::make(SymbolKind::kDc, kMaxDcBits, it);
  };
  return code ? cache.find(*code, make) : nullptr;
}

const AcDecoder* find_ac_decoder(const std::optional<HuffmanCode>& code) {
  thread_local DecoderCache<AcDecoder> cache;
  return code ? cache.find(*code, AcDecoder::make) : nullptr;
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
    const jpeg_component_info& info = header.comp_info[i];
    auto blocks = std::make_unique<NarrowPlane>(image[i].width, image[i].height);
    planes.push_back({&image[i], blocks.get(),
                      find_dc_decoder(decoder.huffman_code(CodeClass::kDc, info.dc_tbl_no)),
                      find_ac_decoder(decoder.huffman_code(CodeClass::kAc, info.ac_tbl_no)), 0});
    rows.push_back(std::move(blocks));
    if (planes.back().dc_code == nullptr || planes.back().ac_code == nullptr) return {};
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
