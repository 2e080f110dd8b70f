// What a press process gives up before it touches a byte from outside.
//
// A decoder or TLS fault is assumed to happen one day: the process that it happens in must hold
// nothing worth having and must not outlive the PostgreSQL process that started it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace imgpress::press {

// The descriptor that the backend leaves open: the press's end of the socketpair.
constexpr int kSocketFd = 3;

// True when `fd` is one end of a SOCK_SEQPACKET Unix socket, as only a backend hands out.
bool is_press_socket(int fd);

// For both roles, first of all: ends with the parent, holds no descriptor but stderr and the
// socket, ignores the signals that PostgreSQL sends to process groups, leaves no core dump, cannot
// gain privileges. Throws std::system_error when any of that is refused, std::runtime_error when
// the parent is gone already.
void confine_common();

// Role limits, after confine_common() and before the first message. Throw std::system_error.
void confine_fetcher();
void confine_codec();

// The names of the layers that are in force, as the kernel tells: no_new_privs, undumpable,
// no_processes, memory_limit, file_size_limit.
std::vector<std::string> layers_in_force();

// Lets the process use `seconds` of CPU time from now on; more ends it (SIGXCPU). Rounded up by at
// most a second.
void limit_cpu(std::uint32_t seconds);

}  // namespace imgpress::press
