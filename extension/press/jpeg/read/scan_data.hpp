// The entropy-coded data of a JPEG scan without byte stuffing and restart markers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Restart intervals, one behind the other. After the last one there is slack (zeros), so that
// readers need not check for the end at every bit.
struct ScanData {
  static constexpr std::size_t kSlack = 8192;

  std::unique_ptr<std::uint8_t[]> bytes;
  std::vector<std::size_t> ends;  // of the restart intervals, as offsets in `bytes`
  std::uint8_t marker = 0;        // that follows the last interval; 0 if one of them is missing
};

// `coded` begins right behind the scan header and ends anywhere behind the scan's data.
// `intervals`: how many restart intervals there should be. Stops at the first fault, without a
// `marker`.
ScanData unstuff(ByteView coded, std::uint64_t intervals);

}  // namespace imgpress::press
