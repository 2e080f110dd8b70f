#include "press/jpeg/read/segment_parser.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

using namespace std::string_view_literals;

constexpr int kStartOfImage = 0xD8;
constexpr int kEndOfImage = 0xD9;
constexpr int kStartOfScan = 0xDA;
constexpr int kApp0 = 0xE0;
constexpr int kApp1 = 0xE1;
constexpr int kApp2 = 0xE2;
constexpr int kApp14 = 0xEE;
constexpr int kApp15 = 0xEF;
constexpr int kComment = 0xFE;

constexpr std::string_view kIccName = "ICC_PROFILE\0"sv;
constexpr std::size_t kIccHeaderBytes = 14;  // name, number of this chunk, number of chunks

bool stands_alone(int marker) {
  return marker == 0x01 || (marker >= 0xD0 && marker <= kStartOfImage);
}

bool is_metadata(int marker) {
  return (marker >= kApp0 && marker <= kApp15) || marker == kComment;
}

// 0xC4, 0xC8 and 0xCC are Huffman codes, an extension, and arithmetic coding conditions.
bool is_start_of_frame(int marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool is_lossless(int marker) {
  return is_start_of_frame(marker) && (marker & 3) == 3;
}

bool is_restart(int marker) {
  return marker >= 0xD0 && marker <= 0xD7;
}

// Offset of the next marker at or after `from`; the size of `bytes` when there is none.
std::size_t find_marker(ByteView bytes, std::size_t from) {
  while (from < bytes.size) {
    const void* found = std::memchr(bytes.data + from, 0xFF, bytes.size - from);
    if (found == nullptr) break;
    from = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data);
    if (from + 1 >= bytes.size) break;
    if (bytes.data[from + 1] != 0x00 && bytes.data[from + 1] != 0xFF) return from;
    ++from;
  }
  return bytes.size;
}

bool starts_with(ByteView bytes, std::string_view head) {
  return bytes.size >= head.size() && std::memcmp(bytes.data, head.data(), head.size()) == 0;
}

void sort_segment(JpegSegments& segments, int marker, ByteView segment) {
  const ByteView payload{segment.data + 4, segment.size - 4};
  if (marker == kApp0 && starts_with(payload, "JFIF\0"sv)) {
    if (segments.jfif.size == 0) segments.jfif = segment;
  } else if (marker == kApp1 && starts_with(payload, "Exif\0"sv)) {
    segments.exif.push_back(payload);
  } else if (marker == kApp2 && starts_with(payload, kIccName)) {
    if (payload.size >= kIccHeaderBytes) segments.icc.push_back(payload);
    segments.needed.push_back(segment);
  } else if ((marker == kApp14 && starts_with(payload, "Adobe"sv)) || !is_metadata(marker)) {
    segments.needed.push_back(segment);
  }
}

std::vector<std::uint8_t> join_icc_chunks(const std::vector<ByteView>& chunks) {
  std::array<ByteView, 256> by_number{};
  for (const ByteView& chunk : chunks) {
    ByteView& place = by_number[chunk.data[kIccName.size()]];
    if (place.size == 0) place = chunk;
  }
  const std::size_t count = chunks.empty() ? 0 : chunks.front().data[kIccName.size() + 1];
  std::vector<std::uint8_t> profile;
  for (std::size_t number = 1; number <= count; ++number) {
    const ByteView chunk = by_number[number];
    if (chunk.size == 0) return {};
    profile.insert(profile.end(), chunk.data + kIccHeaderBytes, chunk.data + chunk.size);
  }
  return profile;
}

void append(std::vector<std::uint8_t>& bytes, ByteView more) {
  bytes.insert(bytes.end(), more.data, more.data + more.size);
}

void append_exif_segment(std::vector<std::uint8_t>& bytes, int orientation) {
  const auto payload = minimal_exif_payload(orientation);
  const auto length = static_cast<std::uint8_t>(2 + payload.size());
  bytes.insert(bytes.end(), {0xFF, kApp1, 0, length});
  append(bytes, {payload.data(), payload.size()});
}

}  // namespace

std::size_t end_of_scan_data(ByteView bytes, std::size_t from) {
  std::size_t at = find_marker(bytes, from);
  while (at < bytes.size && is_restart(bytes.data[at + 1])) at = find_marker(bytes, at + 2);
  return at;
}

JpegSegments parse_segments(ByteView source) {
  JpegSegments segments;
  segments.whole_segments = source;
  std::size_t at = find_marker(source, 0);
  while (at < source.size) {
    const int marker = source.data[at + 1];
    if (marker == kEndOfImage) break;
    if (stands_alone(marker)) {
      at = find_marker(source, at + 2);
      continue;
    }
    const std::size_t length =
        source.size - at < 4 ? 0 : source.data[at + 2] * std::size_t{256} + source.data[at + 3];
    if (length < 2 && is_metadata(marker)) {  // decoders skip these
      at = find_marker(source, at + 4);
      continue;
    }
    if (length < 2 || length > source.size - at - 2) {
      segments.whole_segments.size = at;
      break;
    }
    std::size_t end = at + 2 + length;
    if (marker == kStartOfScan) end = end_of_scan_data(source, end);
    segments.has_scan = segments.has_scan || marker == kStartOfScan;
    segments.has_frame = segments.has_frame || is_start_of_frame(marker);
    segments.is_lossless = segments.is_lossless || is_lossless(marker);
    sort_segment(segments, marker, {source.data + at, end - at});
    at = find_marker(source, end);
  }
  return segments;
}

ImageMetadata read_metadata(const JpegSegments& segments) {
  ImageMetadata metadata;
  for (const ByteView& exif : segments.exif) {
    const int orientation = read_orientation(exif);
    if (orientation == 0) continue;
    metadata.orientation = orientation;
    break;
  }
  metadata.icc_profile = join_icc_chunks(segments.icc);
  return metadata;
}

std::vector<std::uint8_t> strip_jpeg(const JpegSegments& segments, int orientation) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(stripped_size(segments, orientation));
  bytes.insert(bytes.end(), {0xFF, kStartOfImage});
  append(bytes, segments.jfif);
  if (orientation != 1) append_exif_segment(bytes, orientation);
  for (const ByteView& segment : segments.needed) append(bytes, segment);
  bytes.push_back(0xFF);
  bytes.push_back(kEndOfImage);
  return bytes;
}

std::size_t stripped_size(const JpegSegments& segments, int orientation) {
  std::size_t size = 4 + segments.jfif.size;  // with the markers of the start and the end
  if (orientation != 1) size += 4 + minimal_exif_payload(orientation).size();
  for (const ByteView& segment : segments.needed) size += segment.size;
  return size;
}

}  // namespace imgpress::press
