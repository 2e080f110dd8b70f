// The Huffman-coded data of a JPEG scan without what keeps them apart from markers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.hpp"

namespace imgpress::press {

// Each part ends where a restart marker or the scan did. Behind the last one there is slack, so
// that readers who check their place now and then stay within memory.
struct ScanData {
  static constexpr std::size_t kSlack = 8192;

  std::unique_ptr<std::uint8_t[]> bytes;
  std::vector<std::size_t> ends;  // of the parts, as places in `bytes`
  bool complete = false;          // restart markers count up, and the end marker follows
};

// `coded` begins right behind the header of a scan and ends anywhere behind its data.
ScanData unstuff(ByteView coded);

}  // namespace imgpress::press
