// What one image or webhook may cost. A limit is written here and where it is obeyed; its setting
// (imgpress.<name>) follows from the table.
#pragma once

#include <limits>

#include "core/rules/number_field.hpp"

namespace imgpress {

// The initial values are the defaults.
struct ImageLimits {
  int max_image_bytes = 64 * 1024 * 1024;
  int max_pixels = 100'000'000;
  int connect_timeout_ms = 10'000;
  int fetch_timeout_ms = 20'000;
  int codec_cpu_seconds = 30;
  int codec_memory_mb = 2048;
  int webhook_timeout_ms = 20'000;
};

using ImageLimit = NumberField<ImageLimits>;

// Calls visit(limit) for each one.
template <typename Visit>
constexpr void visit_image_limits(Visit&& visit) {
  visit(ImageLimit{"max_image_bytes", &ImageLimits::max_image_bytes, 1024,
                   1024 * 1024 * 1024 - 1024,
                   "Size of the largest image that is downloaded or compressed.", Unit::kBytes});
  visit(ImageLimit{"max_pixels", &ImageLimits::max_pixels, 1, std::numeric_limits<int>::max(),
                   "Size of the largest image in pixels (width times height)."});
  visit(ImageLimit{"connect_timeout", &ImageLimits::connect_timeout_ms, 1, 10 * 60 * 1000,
                   "Time limit for connecting to a host.", Unit::kMilliseconds});
  visit(ImageLimit{"fetch_timeout", &ImageLimits::fetch_timeout_ms, 1, 60 * 60 * 1000,
                   "Time limit for a whole download.", Unit::kMilliseconds});
  visit(ImageLimit{"codec_timeout", &ImageLimits::codec_cpu_seconds, 1, 3600,
                   "Limit on the CPU time for compressing one image.", Unit::kSeconds});
  visit(ImageLimit{"codec_memory", &ImageLimits::codec_memory_mb, 256, 1024 * 1024,
                   "Limit on the memory of a codec process.", Unit::kMegabytes});
  visit(ImageLimit{"webhook_timeout", &ImageLimits::webhook_timeout_ms, 1, 10 * 60 * 1000,
                   "Time limit for one attempt to deliver a webhook.", Unit::kMilliseconds});
}

}  // namespace imgpress
