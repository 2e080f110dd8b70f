#include "log.hpp"

#include <algorithm>
#include <cstdio>

namespace imgpress::gateway {

void log_line(std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  std::fprintf(stderr, "imgpress-gateway: %s\n", message.c_str());
}

}  // namespace imgpress::gateway
