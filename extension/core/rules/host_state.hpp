// What a fetcher has learnt about a host: for administrators to see.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

namespace imgpress {

// Hosts in a report, at most: the busiest ones.
constexpr std::size_t kReportedHosts = 32;

struct HostState {
  std::string host;
  std::uint32_t connections = 0;        // transfers under way
  std::uint32_t waiting = 0;            // downloads that the fetcher holds
  std::uint32_t allowed = 0;            // transfers at a time, as learnt
  std::uint32_t starts_per_1000_s = 0;  // of late
  std::uint32_t pause_s = 0;            // that is left of what the host has asked for
  std::string last_error;

  static auto fields() {
    using M = HostState;
    return std::make_tuple(&M::host, &M::connections, &M::waiting, &M::allowed,
                           &M::starts_per_1000_s, &M::pause_s, &M::last_error);
  }
};

}  // namespace imgpress
