// Faults of an input, as one error.
#pragma once

#include "core/input/input_faults.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// What the error says besides the faults.
struct FaultReport {
  int sqlstate;
  const char* subject;  // "the CSV has"
  const char* unit;     // what is counted: "line"
  const char* hint;     // or nullptr
};

// Raises an error that lists the faults, if there are any.
void raise_faults(const InputFaults* faults, const FaultReport& report);

}  // namespace imgpress
