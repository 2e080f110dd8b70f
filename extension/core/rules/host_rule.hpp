// A row of imgpress.hosts as it is at the moment: what a drainer tells its fetcher.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace imgpress {

struct HostRule {
  std::string host;               // as host_patterns() makes them
  std::uint32_t interval_us = 0;  // least time between the starts of two downloads; 0: none
  std::uint32_t connections = 0;  // at most so many at a time; 0: the setting counts
  bool paused = false;

  bool operator==(const HostRule& other) const {
    return host == other.host && interval_us == other.interval_us &&
           connections == other.connections && paused == other.paused;
  }

  static auto fields() {
    using M = HostRule;
    return std::make_tuple(&M::host, &M::interval_us, &M::connections, &M::paused);
  }
};

}  // namespace imgpress
