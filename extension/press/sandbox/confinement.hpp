// What a press process gives up before it touches a byte from outside.
//
// We assume that one day a decoder or TLS library is exploited. The process in which that happens
// must hold nothing of value, and must not outlive the process that started it.
#pragma once

#include <string>
#include <vector>

namespace imgpress::press {

// The descriptor on which a press finds its end of the socketpair.
constexpr int kSocketFd = 3;

// True when `fd` is a SOCK_SEQPACKET Unix socket, as an owner hands out.
bool is_press_socket(int fd);

// For both roles, before anything else: the process ends with its parent, holds no descriptors but
// stderr and the socket, ignores the signals that PostgreSQL sends to process groups, dumps no
// core, cannot gain privileges, and is the first one that the OOM killer takes. Throws
// std::system_error when the kernel refuses any of that, std::runtime_error when the parent is gone
// already.
void confine_common();

// The limits of a role, after confine_common() and before the first message. Throw
// std::system_error.
void confine_fetcher();
void confine_codec();

// The layers that are in force according to the kernel: no_new_privs, undumpable, and
// limits_in_force().
std::vector<std::string> layers_in_force();

}  // namespace imgpress::press
