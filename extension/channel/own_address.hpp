// Whether an address is one of this machine.
#pragma once

#include "core/net/address.hpp"

namespace imgpress {

// Asks the kernel anew each time: addresses come and go with interfaces, containers and failovers.
// Needs no netlink socket, so that a confined process can ask, too, and sends no packet. Throws
// std::system_error when the kernel does not tell.
bool is_own_address(const IpAddress& address);

}  // namespace imgpress
