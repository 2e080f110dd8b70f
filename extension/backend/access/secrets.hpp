// Comparing secrets.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// Takes the same time wherever the values differ.
bool same_bytes(const bytea* a, const bytea* b);

}  // namespace imgpress
