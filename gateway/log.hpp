// Messages for the operator: one line each, on stderr.
#pragma once

#include <string>

namespace imgpress::gateway {

// Line breaks inside the message become blanks.
void log_line(std::string message);

}  // namespace imgpress::gateway
