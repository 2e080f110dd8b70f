#include "press/codec/exif_orientation.hpp"

#include <algorithm>
#include <cstring>

namespace imgpress::press {
namespace {

constexpr std::uint16_t kOrientationTag = 0x0112;
constexpr std::uint16_t kTypeByte = 1;
constexpr std::uint16_t kTypeShort = 3;
constexpr std::uint16_t kTypeLong = 4;
constexpr std::size_t kEntryBytes = 12;

// Reads integers of either byte order. Reads 0 beyond the end of the block.
class TiffReader {
 public:
  TiffReader(ByteView block, bool big_endian) : block_(block), big_endian_(big_endian) {}

  bool holds(std::size_t offset, std::size_t size) const {
    return offset <= block_.size && size <= block_.size - offset;
  }
  std::uint16_t u16(std::size_t offset) const {
    if (!holds(offset, 2)) return 0;
    const std::uint8_t* p = block_.data + offset;
    return static_cast<std::uint16_t>(big_endian_ ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
  }
  std::uint32_t u32(std::size_t offset) const {
    const std::uint32_t first = u16(offset);
    const std::uint32_t second = u16(offset + 2);
    return big_endian_ ? first << 16 | second : second << 16 | first;
  }
  std::uint8_t u8(std::size_t offset) const { return holds(offset, 1) ? block_.data[offset] : 0; }

 private:
  ByteView block_;
  bool big_endian_;
};

// The type should be SHORT, but some writers use BYTE or LONG.
std::uint32_t entry_value(const TiffReader& tiff, std::size_t entry) {
  switch (tiff.u16(entry + 2)) {
    case kTypeByte:
      return tiff.u8(entry + 8);
    case kTypeShort:
      return tiff.u16(entry + 8);
    case kTypeLong:
      return tiff.u32(entry + 8);
    default:
      return 0;
  }
}

}  // namespace

int read_orientation(ByteView exif) {
  if (exif.size >= 6 && std::memcmp(exif.data, "Exif\0", 5) == 0) {
    exif = {exif.data + 6, exif.size - 6};
  }
  if (exif.size < 8) return 0;
  const bool big_endian = exif.data[0] == 'M' && exif.data[1] == 'M';
  const bool little_endian = exif.data[0] == 'I' && exif.data[1] == 'I';
  const TiffReader tiff(exif, big_endian);
  if ((!big_endian && !little_endian) || tiff.u16(2) != 42) return 0;

  const std::size_t directory = tiff.u32(4);
  const std::size_t entries = tiff.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (!tiff.holds(entry, kEntryBytes)) return 0;
    if (tiff.u16(entry) != kOrientationTag) continue;
    const std::uint32_t value = entry_value(tiff, entry);
    if (value >= 1 && value <= 8) return static_cast<int>(value);
  }
  return 0;
}

std::array<std::uint8_t, kMinimalExifBytes> minimal_exif(int orientation) {
  return {'M',  'M',
          0,    42,
          0,    0,
          0,    8,  // header, directory at 8
          0,    1,  // one entry
          0x01, 0x12,
          0,    3,
          0,    0,
          0,    1,  // orientation, one short
          0,    static_cast<std::uint8_t>(orientation),
          0,    0,  // its value, left-justified
          0,    0,
          0,    0};  // no further directory
}

std::vector<std::uint8_t> minimal_exif_payload(int orientation) {
  constexpr std::array<std::uint8_t, 6> kName = {'E', 'x', 'i', 'f', 0, 0};
  const auto tiff = minimal_exif(orientation);
  std::vector<std::uint8_t> payload(kName.size() + tiff.size());
  std::copy(tiff.begin(), tiff.end(), std::copy(kName.begin(), kName.end(), payload.begin()));
  return payload;
}

}  // namespace imgpress::press
