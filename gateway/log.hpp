// Messages for whoever runs the gateway.
#pragma once

#include <string>

namespace imgpress::gateway {

// One line on standard error.
void log_line(std::string message);

}  // namespace imgpress::gateway
