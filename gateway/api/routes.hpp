// Connects the paths to their handlers.
#pragma once

#include "api/service.hpp"

namespace imgpress::gateway {

// The service must live as long as its server.
void install_routes(Service& service);

}  // namespace imgpress::gateway
