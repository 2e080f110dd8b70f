#include "press/jpeg/read/libjpeg_decoder.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include "press/codec/pixel_image.hpp"

namespace imgpress::press {
namespace {

constexpr int kBitsPerSample = 8;

// Limit of libjpeg's memory: its coefficients take 2 bytes a sample, with at most 4 samples a
// pixel, plus what pads small images to whole blocks. The symbols of the new file take as much as
// there is detail in the image; the sum is bounded by the process's address space limit.
constexpr std::uint64_t kBytesPerPixel = 8;
constexpr std::uint64_t kPaddingBytes = 32 << 20;

// The part of its rows that a truncated image must have.
constexpr double kMinRows = 0.8;

// The lowest AC frequencies, which progressive files store first, as indices row by row.
constexpr int kCoarseCount = 5;
constexpr std::array<int, kCoarseCount> kCoarseAc = {1, 8, 16, 9, 2};

void count_scans(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > kMaxScans) {
    LibjpegGuard::stop_at_scan_limit(jpeg);
  }
}

bool all_bits_known(const jpeg_decompress_struct& state, int component) {
  const int* bits = state.coef_bits[component];
  return std::all_of(bits, bits + DCTSIZE2, [](int unknown) { return unknown == 0; });
}

}  // namespace

LibjpegDecoder::LibjpegDecoder(LibjpegGuard& guard) : guard_(guard) {
  state_.err = guard.errors();
  guard.run([this] { jpeg_create_decompress(&state_); });
}

LibjpegDecoder::~LibjpegDecoder() {
  jpeg_destroy_decompress(&state_);
}

void LibjpegDecoder::read_header(ByteView source, const PixelLimits& limits) {
  progress_.progress_monitor = count_scans;
  state_.progress = &progress_;
  guard_.run([this, source] {
    jpeg_mem_src(&state_, source.data, static_cast<unsigned long>(source.size));
    jpeg_read_header(&state_, TRUE);
  });
  check_pixel_count(state_.image_width, state_.image_height, limits);
  if (state_.data_precision !=
      kBitsPerSample) {  // libjpeg-turbo refuses these only before version 3
    throw FaultError(Fault::kUnsupportedImage,
                     "JPEG file with " + std::to_string(state_.data_precision) + " bits a sample");
  }
  const int components = state_.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw FaultError(Fault::kUnsupportedImage,
                     "JPEG file with " + std::to_string(components) + " colour components");
  }
  const std::uint64_t pixels = std::uint64_t{state_.image_width} * state_.image_height;
  state_.mem->max_memory_to_use = static_cast<long>(pixels * kBytesPerPixel + kPaddingBytes);
}

// Of a progressive image the lowest frequencies must be there; refinements and details may be
// missing.
bool LibjpegDecoder::has_most() const {
  if (const Truncation* truncation = guard_.truncation()) {
    // Decoders ignore what the scan of a sequential image says about passes and coefficients.
    const bool is_essential =
        state_.progressive_mode == FALSE ||
        (truncation->first_pass &&
         (truncation->first_coefficient == 0 ||
          (truncation->component == 0 && truncation->first_coefficient <= kCoarseCount)));
    if (is_essential && truncation->row < kMinRows * truncation->rows) return false;
  }
  if (state_.progressive_mode == FALSE) return true;
  for (int i = 0; i < state_.num_components; ++i) {
    if (state_.coef_bits[i][0] < 0) return false;
  }
  return std::all_of(kCoarseAc.begin(), kCoarseAc.end(),
                     [this](int i) { return state_.coef_bits[0][i] >= 0; });
}

void LibjpegDecoder::check_complete() const {
  bool complete = true;
  bool all_seen = true;
  for (int i = 0; i < state_.num_components; ++i) {
    if (state_.comp_info[i].quant_table == nullptr) all_seen = false;
    if (state_.progressive_mode != FALSE && !all_bits_known(state_, i)) complete = false;
  }
  const bool ends_early = guard_.ended_early() && !complete;
  if (!all_seen || (ends_early && !guard_.accepts_truncation()) ||
      ((ends_early || guard_.truncation() != nullptr) && !has_most())) {
    throw FaultError(Fault::kDamagedImage, "JPEG file: it ends before the picture is complete");
  }
}

std::string LibjpegDecoder::missing_part() const {
  const Truncation* truncation = guard_.truncation();
  if (truncation == nullptr) return "";
  if (state_.progressive_mode != FALSE) return "the JPEG file is truncated: details are missing";
  const unsigned percent = truncation->row * 100 / std::max(1U, truncation->rows);
  return "the JPEG file is truncated: it shows " + std::to_string(percent) + " % of the picture";
}

std::optional<HuffmanCode> LibjpegDecoder::huffman_code(CodeClass kind, int slot) const {
  if (slot < 0 || slot >= NUM_HUFF_TBLS) return std::nullopt;
  const JHUFF_TBL* table =
      (kind == CodeClass::kDc ? state_.dc_huff_tbl_ptrs : state_.ac_huff_tbl_ptrs)[slot];
  if (table == nullptr) return std::nullopt;
  HuffmanCode code;
  std::copy(std::begin(table->bits), std::end(table->bits), code.lengths.begin());
  std::copy(std::begin(table->huffval), std::end(table->huffval), code.symbols.begin());
  return code;
}

}  // namespace imgpress::press
