// Messages for whoever runs the gateway.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>

namespace imgpress::gateway {

// One line on standard error.
inline void log_line(std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  const auto is_blank = [](char c) { return c == '\n' || c == '\r' || c == '\t'; };
  std::replace_if(message.begin(), message.end(), is_blank, ' ');
  std::fprintf(stderr, "imgpress-gateway: %s\n", message.c_str());
}

}  // namespace imgpress::gateway
