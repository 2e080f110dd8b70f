// Messages for whoever runs the gateway.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>

namespace imgpress::gateway {

// One line on standard error.
inline void log_line(std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  const auto ends_line = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(message.begin(), message.end(), ends_line, ' ');
  std::fprintf(stderr, "imgpress-gateway: %s\n", message.c_str());
}

}  // namespace imgpress::gateway
