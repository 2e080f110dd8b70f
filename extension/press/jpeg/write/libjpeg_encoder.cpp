#include "press/jpeg/write/libjpeg_encoder.hpp"

#include <cstring>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {

// Plain new[]: the bytes are written before they are read, and there may be many.
JpegOutput::JpegOutput(JpegGuard& guard, std::size_t room)
    : room_(room), buffer_(new std::uint8_t[room]) {
  destination_.init_destination = begin;
  destination_.empty_output_buffer = overflow;
  destination_.term_destination = end;
  destination_.next_output_byte = buffer_.get();
  destination_.free_in_buffer = room;
  state_.err = guard.errors();
  guard.run([this] { jpeg_create_compress(&state_); });
  state_.dest = &destination_;
}

JpegOutput::~JpegOutput() {
  jpeg_destroy_compress(&state_);
}

void JpegOutput::begin(j_compress_ptr) {}

boolean JpegOutput::overflow(j_compress_ptr jpeg) {
  JpegGuard::stop_for_lack_of_room(reinterpret_cast<j_common_ptr>(jpeg));
}

void JpegOutput::end(j_compress_ptr) {}

void JpegOutput::write_metadata(const ImageMetadata& metadata) {
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

std::vector<std::uint8_t> JpegOutput::take_bytes() const {
  const std::uint8_t* begin = buffer_.get();
  return std::vector<std::uint8_t>(begin, begin + (room_ - destination_.free_in_buffer));
}

}  // namespace imgpress::press
