#include "press/jpeg/read/baseline_reader.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/huffman_decoder.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/read/scan_data.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

constexpr unsigned kLastPlace = kBlockSize - 1;

// So many are upcoming when as many bits as possible are.
constexpr int kNumbersInFill = 2;
static_assert(kNumbersInFill * (kMaxCodeBits + kMaxLevelBits) <= BitReader::kFilled);

// A block takes fewer bytes than this: between two checks of its place a reader stays within the
// slack.
constexpr std::size_t kMaxBlockBytes = 64 * (kMaxCodeBits + kMaxLevelBits + 7) / 8;
static_assert(kMaxBlocksInUnit * kMaxBlockBytes + 64 < ScanData::kSlack);

struct PlaneReader {
  Plane* plane;
  const HuffmanDecoder* first;
  const HuffmanDecoder* others;
  int previous;
};

HuffmanCode value_of(const JHUFF_TBL& table) {
  HuffmanCode code;
  std::copy(std::begin(table.bits), std::end(table.bits), code.lengths.begin());
  std::copy(std::begin(table.huffval), std::end(table.huffval), code.symbols.begin());
  return code;
}

// A block, without its first coefficient. False where the data make no sense. `block` must be
// zeros.
IMGPRESS_INLINE bool read_levels(BitReader& in, const HuffmanDecoder& code, std::int16_t* block) {
  unsigned place = 0;
  while (true) {
    in.fill();
    for (int i = 0; i < kNumbersInFill; ++i) {
      Glance rare;
      const Glance* glance = &code.glance(in.upcoming());
      if (__builtin_expect(glance->bits == 0, 0)) {
        rare = code.look_up(in.upcoming());
        if (rare.bits == 0) return false;
        glance = &rare;
      }
      place += glance->ahead;
      block[place % kBlockSize] = static_cast<std::int16_t>(number_in(in.upcoming(), *glance));
      in.drop(glance->bits);
      if (place >= kLastPlace) return place == kLastPlace || place >= kAheadOfAll;
    }
  }
}

// The step of a first coefficient; nothing where the data make no sense.
IMGPRESS_INLINE std::optional<int> read_step(BitReader& in, const HuffmanDecoder& code) {
  in.fill();
  Glance glance = code.glance(in.upcoming());
  if (glance.bits == 0) glance = code.look_up(in.upcoming());
  if (glance.bits == 0) return std::nullopt;
  const int step = number_in(in.upcoming(), glance);
  in.drop(glance.bits);
  return step;
}

class Scan {
 public:
  explicit Scan(std::vector<PlaneReader> planes) : planes_(std::move(planes)) {
    const Plane& plane = *planes_[0].plane;
    units_across_ = units_of(plane.width, plane.across);
    units_down_ = units_of(plane.height, plane.down);
  }

  std::uint64_t units() const { return std::uint64_t{units_across_} * units_down_; }

  // The units from `from` up to `to` out of bytes that hold nothing else.
  IMGPRESS_WIDE_REGISTERS
  bool read(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t from,
            std::uint64_t to);

 private:
  std::vector<PlaneReader> planes_;
  std::uint32_t units_across_;
  std::uint32_t units_down_;
};

// One unit's blocks of one plane.
IMGPRESS_INLINE bool read_unit(BitReader& in, PlaneReader& reader, std::uint32_t unit_x,
                               std::uint32_t unit_y) {
  Plane& plane = *reader.plane;
  const std::uint32_t left = unit_x * plane.across;
  const std::uint32_t top = unit_y * plane.down;
  for (std::uint32_t y = top; y < top + plane.down; ++y) {
    Block* const row = y < plane.height ? plane.row(y) : nullptr;
    for (std::uint32_t x = left; x < left + plane.across; ++x) {
      Block filler;  // blocks beyond the edge are read for nothing
      Block& block = row != nullptr && x < plane.width ? row[x] : filler;
      clear(block);
      const std::optional<int> step = read_step(in, *reader.first);
      if (!step) return false;
      reader.previous += *step;
      if (reader.previous < kMinFirst || reader.previous > kMaxLevel) return false;
      block.at[0] = static_cast<std::int16_t>(reader.previous);
      if (!read_levels(in, *reader.others, block.at)) return false;
    }
  }
  return true;
}

bool Scan::read(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t from,
                std::uint64_t to) {
  for (PlaneReader& reader : planes_) reader.previous = 0;
  BitReader in(begin);
  auto x = static_cast<std::uint32_t>(from % units_across_);
  auto y = static_cast<std::uint32_t>(from / units_across_);
  for (; from < to; ++from) {
    if (in.left(end) < 0) return false;
    for (PlaneReader& reader : planes_) {
      if (!read_unit(in, reader, x, y)) return false;
    }
    if (++x < units_across_) continue;
    x = 0;
    ++y;
  }
  const std::ptrdiff_t left = in.left(end);
  return left >= 0 && left < 8;
}

bool is_ordinary(const jpeg_decompress_struct& header) {
  if (header.progressive_mode != FALSE || header.arith_code != FALSE ||
      header.data_precision != 8 || header.comps_in_scan != header.num_components) {
    return false;
  }
  if (header.Ss != 0 || header.Se != static_cast<int>(kLastPlace) || header.Ah != 0 ||
      header.Al != 0)
    return false;
  for (int i = 0; i < header.num_components; ++i) {
    if (header.cur_comp_info[i] != &header.comp_info[i]) return false;
  }
  return true;
}

// The codes of a scan, each made once.
class Decoders {
 public:
  explicit Decoders(const jpeg_decompress_struct& header) : header_(header) {}

  // Nothing where the file has none, or one that contradicts itself.
  const HuffmanDecoder* find(CodeClass kind, int slot) {
    if (slot < 0 || slot >= NUM_HUFF_TBLS) return nullptr;  // as the file has it
    const bool is_first = kind == CodeClass::kFirst;
    auto& place = (is_first ? first_ : others_)[static_cast<std::size_t>(slot)];
    const JHUFF_TBL* table = (is_first ? header_.dc_huff_tbl_ptrs : header_.ac_huff_tbl_ptrs)[slot];
    if (!place && table != nullptr) place = HuffmanDecoder::make(kind, value_of(*table));
    return place ? &*place : nullptr;
  }

 private:
  using Slots = std::array<std::optional<HuffmanDecoder>, NUM_HUFF_TBLS>;

  const jpeg_decompress_struct& header_;
  Slots first_;
  Slots others_;
};

// `interval`: units between two restarts.
bool read_parts(Scan& scan, const ScanData& data, std::uint64_t interval) {
  std::size_t begin = 0;
  std::uint64_t from = 0;
  for (const std::size_t end : data.ends) {
    const std::uint64_t to = std::min(scan.units(), from + interval);
    if (!scan.read(data.bytes.get() + begin, data.bytes.get() + end, from, to)) return false;
    begin = end;
    from = to;
  }
  return true;
}

}  // namespace

bool read_baseline(const JpegInput& input, CodedPicture& picture) {
  const jpeg_decompress_struct& header = input.state();
  if (!is_ordinary(header) || !has_all_tables(input)) return false;
  if (blocks_in_unit(picture) > kMaxBlocksInUnit) return false;
  Decoders decoders(header);
  std::vector<PlaneReader> planes;
  for (std::size_t i = 0; i < picture.size(); ++i) {
    const jpeg_component_info& info = header.comp_info[i];
    planes.push_back({&picture[i], decoders.find(CodeClass::kFirst, info.dc_tbl_no),
                      decoders.find(CodeClass::kOthers, info.ac_tbl_no), 0});
    if (planes.back().first == nullptr || planes.back().others == nullptr) return false;
  }
  Scan scan(std::move(planes));
  const std::uint64_t interval =
      header.restart_interval > 0 ? header.restart_interval : scan.units();
  const std::uint64_t parts = (scan.units() + interval - 1) / interval;
  const ScanData data = unstuff({header.src->next_input_byte, header.src->bytes_in_buffer}, parts);
  return data.complete && read_parts(scan, data, interval);
}

}  // namespace imgpress::press
