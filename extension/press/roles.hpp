// A press from its arguments to its work.
#pragma once

#include <optional>

#include "press/sandbox/confinement.hpp"

namespace imgpress::press {

struct PressStart {
  bool is_fetcher = false;
  Confining how;
};

// No value unless the arguments are a role and known options.
std::optional<PressStart> parse_start(int argc, char** argv);

// Confines this process, tells the owner how, and works until the owner closes the socket. Returns
// early when a layer is missing, which the owner is told. Throws std::exception.
void run_press(const PressStart& start);

}  // namespace imgpress::press
