#include "press/formats/png_chunks.hpp"

#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

constexpr std::uint8_t kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kOverhead = 12;  // of a chunk: length, type and checksum
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
  const auto checked = static_cast<unsigned>(bytes.size() - checked_from);
  append_u32(bytes, static_cast<std::uint32_t>(crc32(0, bytes.data() + checked_from, checked)));
}

}  // namespace

PngChunks parse_png_chunks(ByteView source) {
  PngChunks chunks;
  std::size_t at = sizeof kSignature;
  while (at < source.size && source.size - at >= kOverhead) {
    const std::uint8_t* chunk = source.data + at;
    const std::size_t length = read_u32(chunk);
    if (length > source.size - at - kOverhead) break;
    const std::string_view type(reinterpret_cast<const char*>(chunk + 4), 4);
    if (type == "IEND") break;
    if (type == "eXIf") chunks.exif = {chunk + 8, length};
    if (type == "acTL") chunks.animated = true;
    if (is_needed(type)) chunks.needed.push_back({chunk, length + kOverhead});
    at += length + kOverhead;
  }
  return chunks;
}

std::vector<std::uint8_t> strip_png(const PngChunks& chunks, int orientation) {
  std::vector<std::uint8_t> bytes(std::begin(kSignature), std::end(kSignature));
  bool first = true;
  for (const ByteView& chunk : chunks.needed) {
    bytes.insert(bytes.end(), chunk.data, chunk.data + chunk.size);
    if (first && orientation != 1) {
      const auto tiff = minimal_exif(orientation);
      append_chunk(bytes, "eXIf", {tiff.data(), tiff.size()});
    }
    first = false;
  }
  append_chunk(bytes, "IEND", {});
  return bytes;
}

}  // namespace imgpress::press
