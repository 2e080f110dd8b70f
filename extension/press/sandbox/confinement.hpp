// What a press process gives up before it touches a byte from outside.
//
// We assume that one day a decoder or TLS library is exploited. The process in which that happens
// must hold nothing of value, must reach nothing of value, and must not outlive the process that
// started it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/rules/confinement.hpp"

namespace imgpress::press {

// The descriptor on which a press finds its end of the socketpair.
constexpr int kSocketFd = 3;

constexpr int kNewestLandlock = 1000;

// How a press is to be confined.
struct Confining {
  bool best_effort = false;  // go without a layer that the kernel does not offer
  bool any_port = false;     // a fetcher may connect to any TCP port, not to those of the web only
  std::uint64_t memory_bytes = std::uint64_t{2} << 30;  // of a codec's address space
  // For tests of what an older kernel can do: no later version of Landlock than this one.
  int most_landlock = kNewestLandlock;
};

// A layer is missing. what() tells the user which one, and the remedy.
class MissingLayer : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// True when `fd` is a SOCK_SEQPACKET Unix socket, as an owner hands out.
bool is_press_socket(int fd);

// For both roles, before anything else: the process ends with its parent, holds no descriptors but
// stderr and the socket, ignores the signals that PostgreSQL sends to process groups, dumps no
// core, cannot gain privileges, and is the first one that the OOM killer takes. Throws
// std::system_error when the kernel refuses any of that, std::runtime_error when the parent is gone
// already.
void confine_common();

// The limits of a role, its Landlock rules and its seccomp filter, after confine_common() and
// before the first message. What needs files, except those that are named, must have been opened
// before. Returns what is in force. Throw std::system_error or MissingLayer.
Confinement confine_fetcher(const Confining& how, const std::vector<std::string>& readable_files);
Confinement confine_codec(const Confining& how);

}  // namespace imgpress::press
