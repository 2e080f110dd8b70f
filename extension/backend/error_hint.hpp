// What users can do about an error.
#pragma once

#include "core/rules/fault.hpp"

namespace imgpress {

// The hint of the code; for a denied address the statement that allows it. `code` is nullptr where
// none is known. Returns nullptr if there is no hint. PostgreSQL zone.
const char* error_hint(const ErrorCode* code, const char* message);

}  // namespace imgpress
