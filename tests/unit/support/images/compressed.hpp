// What the codec makes of sources that take different ways through it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/images/image_fixtures.hpp"

namespace imgpress::press::fixtures {

inline std::vector<Bytes> sources() {
  const Picture colours = photograph(333, 250);  // no side is a multiple of a block's
  const Picture grey = photograph(141, 133, 1);
  JpegForm progressive;
  progressive.progressive = true;
  JpegForm full;  // 4:4:4, 4:2:2 and 4:4:0
  full.luma_across = full.luma_down = 1;
  JpegForm across;
  across.luma_down = 1;
  JpegForm down;
  down.luma_across = 1;
  JpegForm odd;  // is decoded
  odd.luma_across = 4;
  return {make_jpeg(colours),
          make_jpeg(colours, progressive),
          make_jpeg(colours, full),
          make_jpeg(colours, across),
          make_jpeg(colours, down),
          make_jpeg(colours, odd),
          make_jpeg(grey),
          make_png(colours),
          make_png(photograph(99, 101, 4)),
          make_png(photograph(98, 103, 2)),
          make_png(grey),
          make_webp(colours, true),
          make_webp(colours, false)};
}

// A line for each source and effort: the size of the output, and a hash of its bytes.
inline std::string hashes_of_outputs() {
  std::string lines;
  for (const Bytes& source : sources()) {
    for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
      const Bytes output = press(source, effort, 40).bytes;
      const std::string text(output.begin(), output.end());
      lines +=
          std::to_string(text.size()) + " " + std::to_string(std::hash<std::string>()(text)) + "\n";
    }
  }
  return lines;
}

}  // namespace imgpress::press::fixtures
