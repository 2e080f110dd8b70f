// What keeps a database from having a worker.
#pragma once

#include "backend/worker/shared_state.hpp"

namespace imgpress {

struct Hindrance {
  Obstacle obstacle;
  const char* reason;  // with the remedy
};

// Why a worker for this database could not work; Obstacle::kNone: nothing is known. Looks at
// catalogues that all databases share. Only a process that is connected to the database can see
// whether the extension is installed there: the worker checks that itself, and waits.
Hindrance look_for_hindrance(const char* database);

}  // namespace imgpress
