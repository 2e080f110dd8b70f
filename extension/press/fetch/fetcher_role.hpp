// The fetcher role of a press: runs transfers until its owner closes the socket.
#pragma once

#include <string>
#include <vector>

#include "channel/packet_socket.hpp"

namespace imgpress::press {

// Initialises libcurl and the libraries below it, which read their configuration: to be called
// before the process is confined. Returns the files that are read later on, which may not exist.
// Throws std::bad_alloc.
std::vector<std::string> prepare_fetcher();

// Ends the process with exit status 0 as soon as its owner closes the socket, even if transfers are
// running. Throws when the owner breaks the protocol; a transfer that fails is reported in its
// reply.
[[noreturn]] void run_fetcher(PacketSocket socket);

}  // namespace imgpress::press
