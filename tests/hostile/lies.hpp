// How a press may break the protocol.
#pragma once

#include <string>

#include "channel/packet_socket.hpp"

namespace imgpress::hostile {

// Answers an image or a transfer with this lie; false if there is no such lie.
bool answer_with_lie(PacketSocket& socket, const std::string& lie, std::uint64_t id,
                     bool is_fetcher);

}  // namespace imgpress::hostile
