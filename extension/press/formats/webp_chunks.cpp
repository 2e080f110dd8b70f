#include "press/formats/webp_chunks.hpp"

#include <algorithm>
#include <string_view>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

constexpr std::size_t kFileHeaderBytes = 12;  // "RIFF", size, "WEBP"
constexpr std::size_t kChunkHeaderBytes = 8;
constexpr std::uint8_t kExifFlag = 0x08;
constexpr std::uint8_t kXmpFlag = 0x04;
constexpr std::string_view kNeeded[] = {"VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", "ICCP"};

std::uint32_t read_u32(const std::uint8_t* p) {
  return std::uint32_t{p[3]} << 24 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[1]} << 8 | p[0];
}

void write_u32(std::uint8_t* p, std::size_t value) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

void append_exif(std::vector<std::uint8_t>& bytes, int orientation) {
  const auto tiff = minimal_exif(orientation);
  std::uint8_t header[kChunkHeaderBytes] = {'E', 'X', 'I', 'F'};
  write_u32(header + 4, tiff.size());
  bytes.insert(bytes.end(), std::begin(header), std::end(header));
  bytes.insert(bytes.end(), tiff.begin(), tiff.end());
}

}  // namespace

std::vector<std::uint8_t> strip_webp(ByteView source, int orientation) {
  std::vector<std::uint8_t> whole(source.data, source.data + source.size);
  if (source.size < kFileHeaderBytes) return whole;
  const std::size_t end = std::min(source.size, read_u32(source.data + 4) + std::size_t{8});
  std::vector<std::uint8_t> bytes;
  bytes.reserve(source.size);
  bytes.insert(bytes.end(), source.data, source.data + kFileHeaderBytes);
  std::size_t flags_at = 0;  // offset of the VP8X flags; files without VP8X have no metadata
  for (std::size_t at = kFileHeaderBytes; at < end;) {
    if (end - at < kChunkHeaderBytes) return whole;
    const std::size_t payload = read_u32(source.data + at + 4);
    const std::size_t size = kChunkHeaderBytes + payload + payload % 2;
    if (size > end - at) return whole;
    const std::string_view type(reinterpret_cast<const char*>(source.data + at), 4);
    if (type == "VP8X" && payload > 0) flags_at = bytes.size() + kChunkHeaderBytes;
    if (std::find(std::begin(kNeeded), std::end(kNeeded), type) != std::end(kNeeded)) {
      bytes.insert(bytes.end(), source.data + at, source.data + at + size);
    }
    at += size;
  }
  if (flags_at != 0) {
    bytes[flags_at] &= static_cast<std::uint8_t>(~(kExifFlag | kXmpFlag));
    if (orientation != 1) {
      bytes[flags_at] |= kExifFlag;
      append_exif(bytes, orientation);
    }
  }
  write_u32(bytes.data() + 4, bytes.size() - 8);
  return bytes;
}

}  // namespace imgpress::press
