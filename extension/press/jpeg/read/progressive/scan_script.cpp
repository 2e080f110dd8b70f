#include "press/jpeg/read/progressive/scan_script.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "press/jpeg/read/segment_parser.hpp"

namespace imgpress::press {
namespace {

constexpr std::uint8_t kHuffmanCode = 0xC4;
constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr std::uint8_t kRestartInterval = 0xDD;
constexpr std::uint8_t kComment = 0xFE;

// A level of one bit has this one at most.
constexpr unsigned kMaxLowBit = kMaxLevelBits - 1;

using CodesOfClass = std::array<std::optional<HuffmanCode>, NUM_HUFF_TBLS>;

// What a scan header says about a component.
struct Selector {
  std::size_t plane;
  std::size_t dc_slot;
  std::size_t ac_slot;
};

// How many low bits of each coefficient are not known yet.
class Progression {
 public:
  Progression() {
    for (auto& plane : unknown_bits_) plane.fill(kAll);
  }

  // Takes note of a scan of one plane. False if it does not follow from the ones before.
  bool add(std::size_t plane, const ProgressiveScan& scan) {
    auto& bits = unknown_bits_[plane];
    if (!scan.is_dc() && bits[0] == kAll) return false;
    const unsigned before = scan.refines ? scan.low_bit + 1 : kAll;
    const auto begin = bits.begin() + scan.first;
    const auto end = bits.begin() + scan.last + 1;
    if (!std::all_of(begin, end, [before](unsigned unknown) { return unknown == before; })) {
      return false;
    }
    std::fill(begin, end, scan.low_bit);
    return true;
  }

  bool is_complete(std::size_t planes) const {
    return std::all_of(unknown_bits_.begin(), unknown_bits_.begin() + planes, [](const auto& bits) {
      return std::all_of(bits.begin(), bits.end(), [](unsigned unknown) { return unknown == 0; });
    });
  }

 private:
  static constexpr unsigned kAll = 16;

  std::array<std::array<unsigned, kBlockSize>, kMaxPlanes> unknown_bits_{};
};

class ScriptParser {
 public:
  ScriptParser(const LibjpegDecoder& decoder, const CoefficientImage& image)
      : header_(decoder.state()),
        image_(image),
        rest_{header_.src->next_input_byte, header_.src->bytes_in_buffer},
        restart_interval_(header_.restart_interval) {
    for (int slot = 0; slot < NUM_HUFF_TBLS; ++slot) {
      for (const CodeClass kind : {CodeClass::kDc, CodeClass::kAc}) {
        codes_of(kind)[static_cast<std::size_t>(slot)] = decoder.huffman_code(kind, slot);
      }
    }
  }

  std::optional<std::vector<ProgressiveScan>> parse();

 private:
  CodesOfClass& codes_of(CodeClass kind) { return codes_[static_cast<std::size_t>(kind)]; }
  std::optional<std::uint8_t> next_marker();
  std::optional<ByteView> take_segment();
  bool read_codes(ByteView payload);
  bool read_restart_interval(ByteView payload);
  bool read_first_scan();
  bool read_scan(ByteView payload);
  std::optional<Selector> selector(std::size_t id, std::size_t slots) const;
  bool add_scan(ProgressiveScan scan, const std::vector<Selector>& selectors, unsigned high_bit);

  const jpeg_decompress_struct& header_;
  const CoefficientImage& image_;
  ByteView rest_;
  std::array<CodesOfClass, 2> codes_;
  std::uint64_t restart_interval_;
  Progression progression_;
  std::vector<ProgressiveScan> scans_;
};

std::optional<std::vector<ProgressiveScan>> ScriptParser::parse() {
  if (!read_first_scan()) return std::nullopt;
  while (const std::optional<std::uint8_t> marker = next_marker()) {
    if (marker == JPEG_EOI) {
      if (!progression_.is_complete(image_.size())) return std::nullopt;
      return std::move(scans_);
    }
    const std::optional<ByteView> payload = take_segment();
    if (!payload) return std::nullopt;
    const bool is_usual = marker == kHuffmanCode       ? read_codes(*payload)
                          : marker == kRestartInterval ? read_restart_interval(*payload)
                          : marker == kStartOfScan     ? read_scan(*payload)
                                                       : marker == kComment;
    if (!is_usual) return std::nullopt;
  }
  return std::nullopt;
}

// Steps over a marker; std::nullopt if there is none.
std::optional<std::uint8_t> ScriptParser::next_marker() {
  while (rest_.size >= 2 && rest_.data[0] == 0xFF) {
    const std::uint8_t code = rest_.data[1];
    const std::size_t step = code == 0xFF ? 1 : 2;  // any number of fill bytes may come first
    rest_ = {rest_.data + step, rest_.size - step};
    if (code != 0xFF) return code;
  }
  return std::nullopt;
}

std::optional<ByteView> ScriptParser::take_segment() {
  if (rest_.size < 2) return std::nullopt;
  const std::size_t length = rest_.data[0] * std::size_t{256} + rest_.data[1];
  if (length < 2 || length > rest_.size) return std::nullopt;
  const ByteView payload{rest_.data + 2, length - 2};
  rest_ = {rest_.data + length, rest_.size - length};
  return payload;
}

bool ScriptParser::read_codes(ByteView payload) {
  while (payload.size > 0) {
    HuffmanCode code;
    constexpr std::size_t kHead = 1 + kMaxCodeBits;
    if (payload.size < kHead) return false;
    const std::size_t kind = payload.data[0] / 16;
    const std::size_t slot = payload.data[0] % 16;
    if (kind >= codes_.size() || slot >= NUM_HUFF_TBLS) return false;
    std::size_t count = 0;
    for (std::size_t i = 1; i <= kMaxCodeBits; ++i) {
      code.lengths[i] = payload.data[i];
      count += payload.data[i];
    }
    if (count > code.symbols.size() || count > payload.size - kHead) return false;
    std::copy_n(payload.data + kHead, count, code.symbols.begin());
    codes_[kind][slot] = code;
    payload = {payload.data + kHead + count, payload.size - kHead - count};
  }
  return true;
}

bool ScriptParser::read_restart_interval(ByteView payload) {
  if (payload.size != 2) return false;
  restart_interval_ = payload.data[0] * 256U + payload.data[1];
  return true;
}

// libjpeg has read its header.
bool ScriptParser::read_first_scan() {
  ProgressiveScan scan;
  scan.first = static_cast<unsigned>(header_.Ss);
  scan.last = static_cast<unsigned>(header_.Se);
  scan.low_bit = static_cast<unsigned>(header_.Al);
  std::vector<Selector> selectors;
  for (int i = 0; i < header_.comps_in_scan; ++i) {
    const jpeg_component_info& info = *header_.cur_comp_info[i];
    selectors.push_back({static_cast<std::size_t>(info.component_index),
                         static_cast<std::size_t>(info.dc_tbl_no),
                         static_cast<std::size_t>(info.ac_tbl_no)});
  }
  return add_scan(std::move(scan), selectors, static_cast<unsigned>(header_.Ah));
}

std::optional<Selector> ScriptParser::selector(std::size_t id, std::size_t slots) const {
  for (int i = 0; i < header_.num_components; ++i) {
    if (static_cast<std::size_t>(header_.comp_info[i].component_id) != id) continue;
    return Selector{static_cast<std::size_t>(i), slots / 16, slots % 16};
  }
  return std::nullopt;
}

bool ScriptParser::read_scan(ByteView payload) {
  if (payload.size < 1 || payload.size != payload.data[0] * std::size_t{2} + 4) return false;
  std::vector<Selector> selectors;
  const std::uint8_t* at = payload.data + 1;
  for (int i = 0; i < payload.data[0]; ++i, at += 2) {
    const std::optional<Selector> found = selector(at[0], at[1]);
    if (!found) return false;
    selectors.push_back(*found);
  }
  ProgressiveScan scan;
  scan.first = at[0];
  scan.last = at[1];
  scan.low_bit = at[2] % 16;
  return add_scan(std::move(scan), selectors, at[2] / 16);
}

// Checks the scan, and steps over its data.
bool ScriptParser::add_scan(ProgressiveScan scan, const std::vector<Selector>& selectors,
                            unsigned high_bit) {
  scan.refines = high_bit != 0;
  if (scans_.size() == kMaxScans) return false;
  if (scan.refines && high_bit != scan.low_bit + 1) return false;
  if (scan.low_bit > kMaxLowBit || scan.last >= kBlockSize || scan.first > scan.last) return false;
  if (scan.is_dc() ? scan.last != 0 : selectors.size() != 1) return false;
  std::size_t blocks_in_mcu = 0;
  for (const Selector& it : selectors) {
    const bool in_order = scan.planes.empty() || scan.planes.back() < it.plane;
    if (!in_order || !progression_.add(it.plane, scan)) return false;
    scan.planes.push_back(it.plane);
    blocks_in_mcu += std::size_t{image_[it.plane].h_factor} * image_[it.plane].v_factor;
    if (scan.is_dc() && scan.refines) continue;
    const CodesOfClass& codes = codes_of(scan.is_dc() ? CodeClass::kDc : CodeClass::kAc);
    const std::size_t slot = scan.is_dc() ? it.dc_slot : it.ac_slot;
    if (slot >= codes.size() || !codes[slot]) return false;
    scan.codes.push_back(*codes[slot]);
  }
  if (scan.planes.empty()) return false;
  if (scan.planes.size() > 1 && blocks_in_mcu > kMaxBlocksInMcu) return false;
  scan.restart_interval = restart_interval_;
  const std::size_t end = end_of_scan_data(rest_, 0);
  if (rest_.size - end < 2) return false;
  scan.data = {rest_.data, end + 2};
  rest_ = {rest_.data + end, rest_.size - end};
  scans_.push_back(std::move(scan));
  return true;
}

}  // namespace

std::optional<std::vector<ProgressiveScan>> parse_scans(const LibjpegDecoder& decoder,
                                                        const CoefficientImage& image) {
  return ScriptParser(decoder, image).parse();
}

}  // namespace imgpress::press
