// Limits of what a press may use (setrlimit). They bound the damage of a decoder that runs wild,
// and cannot be raised again.
#pragma once

#include <cstdint>

#include "core/rules/confinement.hpp"

namespace imgpress::press {

// All throw std::system_error when the kernel refuses a limit.
void limit_press();  // both roles
void limit_fetcher();
void limit_codec(std::uint64_t address_space);

// Allows the process `seconds` more of CPU time, rounded up by at most a second. SIGXCPU ends it
// after that.
void limit_cpu(std::uint32_t seconds);

// Lets the process have all of its address space, or only the part that each codec may have at the
// same time as the others. Allocations beyond it fail. Returns the number of bytes.
std::uint64_t limit_memory(bool to_part);

// Adds the limits that are in force according to the kernel.
void note_limits(Confinement& confinement);

}  // namespace imgpress::press
