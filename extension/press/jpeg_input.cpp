#include "press/jpeg_input.hpp"

#include <algorithm>
#include <string>

#include "press/pixel_image.hpp"

namespace imgpress::press {
namespace {

// Encoders write a dozen scans; each costs a walk over the whole picture.
constexpr int kMaxScans = 100;

// Coefficients take 2 bytes a sample and there are at most 4 samples a pixel, padded to whole
// blocks; the allowance covers the padding of small pictures.
constexpr std::uint64_t kBytesPerPixel = 8;
constexpr std::uint64_t kAllowance = 32 << 20;

void count_scans(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > kMaxScans) {
    JpegGuard::stop_for_scans(jpeg);
  }
}

bool all_bits_known(const jpeg_decompress_struct& state, int component) {
  const int* bits = state.coef_bits[component];
  return std::all_of(bits, bits + DCTSIZE2, [](int missing) { return missing == 0; });
}

}  // namespace

JpegInput::JpegInput(JpegGuard& guard) : guard_(guard) {
  state_.err = guard.errors();
  guard.run([this] { jpeg_create_decompress(&state_); });
}

JpegInput::~JpegInput() {
  jpeg_destroy_decompress(&state_);
}

void JpegInput::read_header(ByteView source, std::uint64_t max_pixels) {
  progress_.progress_monitor = count_scans;
  state_.progress = &progress_;
  guard_.run([this, source] {
    jpeg_mem_src(&state_, source.data, static_cast<unsigned long>(source.size));
    jpeg_read_header(&state_, TRUE);
  });
  check_pixel_count(state_.image_width, state_.image_height, max_pixels);
  const int components = state_.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw FaultError(Fault::kUnsupportedImage,
                     "JPEG file with " + std::to_string(components) + " colour components");
  }
  const std::uint64_t pixels = std::uint64_t{state_.image_width} * state_.image_height;
  state_.mem->max_memory_to_use = static_cast<long>(pixels * kBytesPerPixel + kAllowance);
}

void JpegInput::check_complete() const {
  for (int i = 0; i < state_.num_components; ++i) {
    const bool never_seen = state_.comp_info[i].quant_table == nullptr;
    const bool cut_short =
        guard_.ended_early() && state_.progressive_mode != FALSE && !all_bits_known(state_, i);
    if (never_seen || cut_short) {
      throw FaultError(Fault::kDamagedImage, "JPEG file: ends before the picture is complete");
    }
  }
}

}  // namespace imgpress::press
