#include "press/formats/png_chunks.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <string_view>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

constexpr std::uint8_t kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
// Of a chunk: length and type, and the checksum of type and payload.
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kTypeBytes = 4;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kOverhead = kLengthBytes + kTypeBytes + kChecksumBytes;
constexpr std::string_view kNeededAncillary[] = {"tRNS", "gAMA", "cHRM", "sRGB",
                                                 "iCCP", "sBIT", "pHYs", "cICP"};

bool is_needed(std::string_view type) {
  const bool critical = type[0] >= 'A' && type[0] <= 'Z';
  return critical || std::find(std::begin(kNeededAncillary), std::end(kNeededAncillary), type) !=
                         std::end(kNeededAncillary);
}

std::uint32_t read_u32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

void append_u32(std::vector<std::uint8_t>& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

void append_chunk(std::vector<std::uint8_t>& bytes, std::string_view type, ByteView payload) {
  append_u32(bytes, static_cast<std::uint32_t>(payload.size));
  const std::size_t checked_from = bytes.size();
  bytes.insert(bytes.end(), type.begin(), type.end());
  bytes.insert(bytes.end(), payload.data, payload.data + payload.size);
  append_u32(bytes, libdeflate_crc32(0, bytes.data() + checked_from, bytes.size() - checked_from));
}

}  // namespace

std::string_view PngChunk::type() const {
  return {reinterpret_cast<const char*>(whole.data + kLengthBytes), kTypeBytes};
}

ByteView PngChunk::payload() const {
  return {whole.data + kLengthBytes + kTypeBytes, whole.size - kOverhead};
}

bool PngChunk::is_intact() const {
  const std::size_t checked = kTypeBytes + payload().size;
  return libdeflate_crc32(0, whole.data + kLengthBytes, checked) ==
         read_u32(whole.data + kLengthBytes + checked);
}

PngChunks parse_png_chunks(ByteView source) {
  PngChunks chunks;
  std::size_t at = sizeof kSignature;
  while (at < source.size && source.size - at >= kOverhead) {
    const std::size_t length = read_u32(source.data + at);
    if (length > source.size - at - kOverhead) break;
    const PngChunk chunk{{source.data + at, length + kOverhead}};
    const std::string_view type = chunk.type();
    if (type == "IEND") break;
    if (type == "eXIf") chunks.exif = chunk.payload();
    if (type == "acTL") chunks.animated = true;
    if (type == "IDAT") chunks.data.push_back(chunk);
    if (is_needed(type)) chunks.needed.push_back(chunk);
    at += chunk.whole.size;
  }
  return chunks;
}

std::vector<std::uint8_t> strip_png(const PngChunks& chunks, int orientation) {
  const auto tiff = minimal_exif(orientation);
  std::size_t size = sizeof kSignature + kOverhead + tiff.size() + kOverhead;
  for (const PngChunk& chunk : chunks.needed) size += chunk.whole.size;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(size);
  bytes.insert(bytes.end(), std::begin(kSignature), std::end(kSignature));
  bool first = true;
  for (const PngChunk& chunk : chunks.needed) {
    bytes.insert(bytes.end(), chunk.whole.data, chunk.whole.data + chunk.whole.size);
    if (first && orientation != 1) {
      append_chunk(bytes, "eXIf", {tiff.data(), tiff.size()});
    }
    first = false;
  }
  append_chunk(bytes, "IEND", {});
  return bytes;
}

}  // namespace imgpress::press
