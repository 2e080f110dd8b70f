#include "press/jpeg/write/libjpeg_encoder.hpp"

#include <cstring>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

// Luma's AC coefficients are split into two scans; the first one, with the low frequencies, ends
// here.
constexpr int kLastCoarse = 5;

jpeg_scan_info ac_scan(int component, int first, int last) {
  jpeg_scan_info scan{};
  scan.comps_in_scan = 1;
  scan.component_index[0] = component;
  scan.Ss = first;
  scan.Se = last;
  return scan;
}

jpeg_scan_info dc_scan(int components) {
  jpeg_scan_info scan{};
  scan.comps_in_scan = components;
  for (int i = 0; i < components; ++i) scan.component_index[i] = i;
  return scan;
}

}  // namespace

// new[] instead of a vector, which would clear the memory.
LibjpegEncoder::LibjpegEncoder(LibjpegGuard& guard, std::size_t size_limit)
    : size_limit_(size_limit), buffer_(new std::uint8_t[size_limit]) {
  destination_.init_destination = begin;
  destination_.empty_output_buffer = overflow;
  destination_.term_destination = end;
  destination_.next_output_byte = buffer_.get();
  destination_.free_in_buffer = size_limit;
  state_.err = guard.errors();
  guard.run([this] { jpeg_create_compress(&state_); });
  state_.dest = &destination_;
}

LibjpegEncoder::~LibjpegEncoder() {
  jpeg_destroy_compress(&state_);
}

void LibjpegEncoder::begin(j_compress_ptr) {}

boolean LibjpegEncoder::overflow(j_compress_ptr jpeg) {
  LibjpegGuard::stop_at_size_limit(reinterpret_cast<j_common_ptr>(jpeg));
}

void LibjpegEncoder::end(j_compress_ptr) {}

void LibjpegEncoder::use_progressive_scans() {
  const int components = state_.num_components;
  const int count = components + 2;
  auto* scans = static_cast<jpeg_scan_info*>(
      state_.mem->alloc_small(reinterpret_cast<j_common_ptr>(&state_), JPOOL_IMAGE,
                              static_cast<std::size_t>(count) * sizeof(jpeg_scan_info)));
  scans[0] = dc_scan(components);
  scans[1] = ac_scan(0, 1, kLastCoarse);
  for (int i = 1; i < components; ++i) scans[1 + i] = ac_scan(i, 1, DCTSIZE2 - 1);
  scans[count - 1] = ac_scan(0, kLastCoarse + 1, DCTSIZE2 - 1);
  state_.scan_info = scans;
  state_.num_scans = count;
}

void LibjpegEncoder::write_metadata(const ImageMetadata& metadata) {
  if (metadata.orientation != 1) {
    const auto tiff = minimal_exif(metadata.orientation);
    std::uint8_t segment[6 + kMinimalExifBytes] = {'E', 'x', 'i', 'f'};
    std::memcpy(segment + 6, tiff.data(), tiff.size());
    jpeg_write_marker(&state_, JPEG_APP0 + 1, segment, sizeof segment);
  }
  if (!metadata.icc_profile.empty()) {
    jpeg_write_icc_profile(&state_, metadata.icc_profile.data(),
                           static_cast<unsigned>(metadata.icc_profile.size()));
  }
}

std::vector<std::uint8_t> LibjpegEncoder::take_bytes() const {
  const std::uint8_t* begin = buffer_.get();
  return std::vector<std::uint8_t>(begin, begin + (size_limit_ - destination_.free_in_buffer));
}

}  // namespace imgpress::press
