// The codec role of a press: compresses one image after the other until its owner closes the
// socket.
#pragma once

#include <cstdint>

#include "channel/packet_socket.hpp"

namespace imgpress::press {

// What a photograph takes at quality 50, at most: a WebP with an alpha channel 8.9 bytes a pixel,
// all others less. High qualities, noise and CMYK take up to two and a half times as much; where
// memory runs out for such an image, it is tried again as a large one.
constexpr std::uint64_t kBytesPerPixel = 10;

// From now on the heap keeps freed memory for the next image. By default the kernel would map and
// unmap the same pages for every image.
void keep_memory_between_images();

// Returns when the socket is closed. Throws when the owner breaks the protocol, which ends the
// process; what is wrong with an image is told in the reply.
void run_codec(PacketSocket socket);

}  // namespace imgpress::press
