// The settings of the presses and of the pipeline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/rules/host_limits.hpp"
#include "core/rules/image_limits.hpp"

namespace imgpress {

class PressObserver;

constexpr const char* kDefaultUserAgent = "imgpress";

// For every press, whether a drainer or an ordinary session owns it.
struct PressSettings : ImageLimits {
  std::string press_path;
  bool best_effort = false;  // presses may go without a layer that the kernel does not offer
  std::string allowed_networks;
  HostLimits host_limits;
  std::string user_agent = kDefaultUserAgent;
  std::vector<std::string> request_headers;  // "Name: value", of each download
  bool reports_hosts = false;                // the owner wants to know what is learnt about them
  PressObserver* observer = nullptr;         // outlives the presses
};

struct PipelineSettings : PressSettings {
  std::size_t codecs = 1;
  std::uint64_t memory_limit = std::uint64_t{1} << 30;  // of the images that are held, in bytes
};

}  // namespace imgpress
