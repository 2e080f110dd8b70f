#include "press/jpeg/read/scan_data.hpp"

#include <cstring>

namespace imgpress::press {
namespace {

constexpr std::uint8_t kFirstRestart = 0xD0;
constexpr std::size_t kRestarts = 8;  // restart markers are numbered modulo 8

}  // namespace

ScanData unstuff(ByteView coded, std::uint64_t intervals) {
  ScanData data;
  data.bytes.reset(new std::uint8_t[coded.size + ScanData::kSlack]);
  std::uint8_t* to = data.bytes.get();
  const std::uint8_t* from = coded.data;
  const std::uint8_t* const end = coded.data + coded.size;
  while (from < end) {
    const auto left = static_cast<std::size_t>(end - from);
    const void* found = std::memchr(from, 0xFF, left);
    const std::size_t plain =
        found == nullptr ? left
                         : static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - from);
    std::memcpy(to, from, plain);
    to += plain;
    from += plain;
    const std::uint8_t* const fill = from;
    while (end - from > 1 && from[1] == 0xFF) ++from;
    if (end - from < 2) break;
    const std::uint8_t marker = from[1];
    if (marker == 0 && from == fill) {
      *to++ = 0xFF;
      from += 2;
      continue;
    }
    const bool is_last = data.ends.size() + 1 == intervals;
    const bool expected = marker == kFirstRestart + data.ends.size() % kRestarts;
    if (is_last && marker / kRestarts != kFirstRestart / kRestarts) data.marker = marker;
    if (is_last || !expected) break;
    data.ends.push_back(static_cast<std::size_t>(to - data.bytes.get()));
    from += 2;
  }
  data.ends.push_back(static_cast<std::size_t>(to - data.bytes.get()));
  std::memset(to, 0, ScanData::kSlack);
  return data;
}

}  // namespace imgpress::press
