// Limits of what a press may use (setrlimit). They bound the damage of a decoder that runs wild,
// and cannot be raised again.
#pragma once

#include <cstdint>

#include "core/rules/confinement.hpp"

namespace imgpress::press {

// All throw std::system_error when the kernel refuses a limit.
void limit_press();  // both roles
void limit_fetcher();
void limit_codec();

// Allows the process `seconds` more of CPU time, rounded up by at most a second. SIGXCPU ends it
// after that.
void limit_cpu(std::uint32_t seconds);

// Adds the limits that are in force according to the kernel.
void note_limits(Confinement& confinement);

}  // namespace imgpress::press
