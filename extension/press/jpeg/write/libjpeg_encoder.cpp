#include "press/jpeg/write/libjpeg_encoder.hpp"

#include <cstring>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {

// Plain new[]: the bytes are written before they are read, and there may be many.
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
