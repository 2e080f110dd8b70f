// The fetcher role of a press: runs transfers until its owner closes the socket.
#pragma once

#include "channel/packet_socket.hpp"

namespace imgpress::press {

// Ends the process with exit status 0 as soon as its owner closes the socket, even if transfers are
// running. Throws when the owner breaks the protocol; a transfer that fails is reported in its
// reply.
[[noreturn]] void run_fetcher(PacketSocket socket);

}  // namespace imgpress::press
