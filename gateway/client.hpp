// A connection between two requests.
#pragma once

#include <string>

#include "socket.hpp"

namespace imgpress::gateway {

struct Client {
  Socket socket;
  std::string input;  // received, but not part of a request that was served
};

}  // namespace imgpress::gateway
