// The fetcher role: any number of transfers at once, until the backend closes the socket.
#pragma once

#include "channel/packet_socket.hpp"

namespace imgpress::press {

// Ends the process (exit status 0) as soon as the other end is closed, running transfers or not.
// Throws when the other end breaks the protocol; whatever is wrong with a URL becomes a reply.
[[noreturn]] void run_fetcher(PacketSocket socket);

}  // namespace imgpress::press
