// The settings of the presses and of the pipeline.
#pragma once

#include <cstdint>
#include <string>

#include "core/rules/host_limits.hpp"

namespace imgpress {

// For every press, whether a drainer or an ordinary session owns it.
struct PressSettings {
  std::string press_path;
  std::string allowed_networks;
  HostLimits host_limits;
  std::uint64_t max_image_bytes = 0;
  std::uint64_t max_pixels = 0;
  std::uint32_t connect_timeout_ms = 0;
  std::uint32_t fetch_timeout_ms = 0;
  std::uint32_t webhook_timeout_ms = 0;
  std::uint32_t codec_cpu_seconds = 0;
};

struct PipelineSettings : PressSettings {
  std::size_t codecs = 1;
  std::size_t max_waiting_bytes = 0;  // downloaded images that no codec works on yet
};

}  // namespace imgpress
