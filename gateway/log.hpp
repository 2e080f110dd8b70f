// What the operator should read: one line each on stderr.
#pragma once

#include <string>

namespace imgpress::gateway {

// Line breaks inside the message become blanks, so that one event stays one line.
void log_line(std::string message);

}  // namespace imgpress::gateway
