#include "press/jpeg/write/segment_writer.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

using namespace std::string_view_literals;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMaxPayload = 65533;

void append_16(Bytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

Bytes bytes_of(std::string_view text) {
  return Bytes(text.begin(), text.end());
}

bool needs_16_bits(const QuantTable& steps) {
  return std::any_of(steps.begin(), steps.end(), [](std::uint16_t step) { return step > 255; });
}

// Planes with equal tables share the slot of the first one.
std::size_t quant_slot(const CoefficientImage& image, const Plane& plane) {
  const auto same = std::find_if(image.begin(), image.end(), [&plane](const Plane& other) {
    return other.steps == plane.steps;
  });
  return static_cast<std::size_t>(same - image.begin());
}

}  // namespace

void SegmentWriter::put_marker(JpegMarker marker) {
  bytes_.push_back(0xFF);
  bytes_.push_back(static_cast<std::uint8_t>(marker));
}

void SegmentWriter::put_segment(JpegMarker marker, const Bytes& payload) {
  put_marker(marker);
  append_16(bytes_, payload.size() + 2);
  append({payload.data(), payload.size()});
}

void SegmentWriter::put_start(const FrameHeader& header, const ImageMetadata& metadata) {
  put_marker(JpegMarker::kStartOfImage);
  if (header.jfif) {
    Bytes payload = bytes_of("JFIF\0\x01\x01"sv);  // version 1.1
    payload.push_back(header.density.unit);
    append_16(payload, header.density.across);
    append_16(payload, header.density.down);
    append_16(payload, 0);  // no thumbnail
    put_segment(JpegMarker::kApp0, payload);
  }
  if (header.adobe_transform >= 0) {
    Bytes payload = bytes_of("Adobe\0\x64\0\0\0\0"sv);  // version 100, no flags
    payload.push_back(static_cast<std::uint8_t>(header.adobe_transform));
    put_segment(JpegMarker::kApp14, payload);
  }
  if (metadata.orientation != 1) {
    put_segment(JpegMarker::kApp1, minimal_exif_payload(metadata.orientation));
  }
  put_icc_profile(metadata.icc_profile);
}

// In chunks that fit into a segment, each with its number and the count of chunks (ICC.1, annex
// B.4).
void SegmentWriter::put_icc_profile(const Bytes& profile) {
  const Bytes name = bytes_of("ICC_PROFILE\0"sv);
  const std::size_t max_chunk = kMaxPayload - name.size() - 2;
  const std::size_t chunks = (profile.size() + max_chunk - 1) / max_chunk;
  for (std::size_t number = 1; number <= chunks; ++number) {
    Bytes payload = name;
    payload.push_back(static_cast<std::uint8_t>(number));
    payload.push_back(static_cast<std::uint8_t>(chunks));
    const auto begin = profile.begin() + static_cast<std::ptrdiff_t>((number - 1) * max_chunk);
    const std::size_t size = std::min(max_chunk, profile.size() - (number - 1) * max_chunk);
    payload.insert(payload.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
    put_segment(JpegMarker::kApp2, payload);
  }
}

void SegmentWriter::put_quant_tables(const CoefficientImage& image) {
  for (std::size_t i = 0; i < image.size(); ++i) {
    if (quant_slot(image, image[i]) != i) continue;
    const QuantTable& steps = image[i].steps;
    const bool wide = needs_16_bits(steps);
    Bytes payload = {static_cast<std::uint8_t>((wide ? 0x10 : 0) | i)};
    for (const std::uint16_t step : steps) {
      if (wide) payload.push_back(static_cast<std::uint8_t>(step >> 8));
      payload.push_back(static_cast<std::uint8_t>(step));
    }
    put_segment(JpegMarker::kQuantTable, payload);
  }
}

void SegmentWriter::put_frame(const FrameHeader& header, const CoefficientImage& image,
                              bool progressive) {
  Bytes payload = {8};  // bits of a sample
  append_16(payload, header.height);
  append_16(payload, header.width);
  payload.push_back(static_cast<std::uint8_t>(image.size()));
  bool wide = false;
  for (const Plane& plane : image) {
    payload.push_back(plane.id);
    payload.push_back(static_cast<std::uint8_t>(plane.h_factor << 4 | plane.v_factor));
    payload.push_back(static_cast<std::uint8_t>(quant_slot(image, plane)));
    wide = wide || needs_16_bits(plane.steps);
  }
  put_segment(progressive ? JpegMarker::kStartOfProgressiveFrame
              : wide      ? JpegMarker::kStartOfExtendedFrame
                          : JpegMarker::kStartOfBaselineFrame,
              payload);
}

void SegmentWriter::put_code(CodeClass kind, std::uint8_t slot, const HuffmanCode& code) {
  Bytes payload = {static_cast<std::uint8_t>(static_cast<unsigned>(kind) << 4 | slot)};
  payload.insert(payload.end(), code.lengths.begin() + 1, code.lengths.end());
  std::ptrdiff_t count = 0;
  for (const std::uint8_t of_length : code.lengths) count += of_length;
  payload.insert(payload.end(), code.symbols.begin(), code.symbols.begin() + count);
  put_segment(JpegMarker::kHuffmanCode, payload);
}

void SegmentWriter::put_scan(const CoefficientImage& image,
                             const std::vector<ScanComponent>& components, Band band) {
  Bytes payload = {static_cast<std::uint8_t>(components.size())};
  for (const ScanComponent& component : components) {
    payload.push_back(image[component.plane].id);
    payload.push_back(static_cast<std::uint8_t>(component.dc_slot << 4 | component.ac_slot));
  }
  payload.push_back(band.first);
  payload.push_back(band.last);
  payload.push_back(0);  // no successive approximation
  put_segment(JpegMarker::kStartOfScan, payload);
}

void SegmentWriter::put_coded(ByteView data) {
  while (data.size > 0) {
    const void* found = std::memchr(data.data, 0xFF, data.size);
    const bool stuffs = found != nullptr;
    const std::size_t plain =
        stuffs ? static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - data.data) + 1
               : data.size;
    append({data.data, plain});
    if (stuffs) bytes_.push_back(0);
    data = {data.data + plain, data.size - plain};
  }
}

}  // namespace imgpress::press
