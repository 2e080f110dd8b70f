// Landlock: the kernel refuses files, TCP ports and signals to this process from now on, and
// nothing can give them back. Each version ("ABI") of Landlock limits more than the one before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace imgpress::press {

// What stays allowed.
struct LandlockRules {
  std::vector<std::string> readable_files;  // single files; those that do not exist are left out
  bool any_port = false;                    // TCP connections to every port
  std::vector<std::uint16_t> ports;         // otherwise to these
};

// The version that the kernel offers. Throws std::system_error when it offers none.
int landlock_abi();

// Restricts this thread, and those that it starts, by the rights of this version, which the kernel
// must offer. REQUIRES: no_new_privs. Throws std::system_error.
void restrict_by_landlock(const LandlockRules& rules, int abi);

}  // namespace imgpress::press
