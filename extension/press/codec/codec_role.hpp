// The codec role: one image in, one image out, until the backend closes the socket.
#pragma once

#include "channel/packet_socket.hpp"

namespace imgpress::press {

// Images' memory comes from the heap from now on and stays there for the next image of the same
// size: else the kernel hands out and takes back the same pages again and again.
void keep_memory_between_images();

// Returns when the other end is closed. Throws (and so ends the process) when the other end breaks
// the protocol; whatever is wrong with an image becomes a reply.
void run_codec(PacketSocket socket);

}  // namespace imgpress::press
