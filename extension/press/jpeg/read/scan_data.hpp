// The Huffman-coded data of a JPEG scan without what keeps them apart from markers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Each part ends where a restart marker or the scan did. Behind the last one there is slack, so
// that readers who check their place now and then stay within memory.
struct ScanData {
  static constexpr std::size_t kSlack = 8192;

  std::unique_ptr<std::uint8_t[]> bytes;
  std::vector<std::size_t> ends;  // of the parts, as places in `bytes`
  bool complete = false;          // all parts are there, and the end marker follows
};

// `coded` begins right behind the header of a scan, which should have so many parts, and ends
// anywhere behind its data. Goes no further than to what makes the data incomplete.
ScanData unstuff(ByteView coded, std::uint64_t parts);

}  // namespace imgpress::press
