// The codec role: one image in, one image out, until the backend closes the socket.
#pragma once

#include "channel/packet_socket.hpp"

namespace imgpress::press {

// Returns when the other end is closed. Throws (and so ends the process) when the other end breaks
// the protocol; whatever is wrong with an image becomes a reply.
void run_codec(PacketSocket socket);

}  // namespace imgpress::press
