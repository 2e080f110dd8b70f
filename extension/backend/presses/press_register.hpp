// The presses of the cluster, in shared memory: who has started them, and how they are confined.
//
// Their owners write here from C++ code, where no lock of PostgreSQL can be taken: so each slot is
// claimed and freed by an atomic operation.
#pragma once

#include "core/rules/confinement.hpp"
#include "drain/presses/press_observer.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// To be called with the other requests for shared memory, and when it is created.
void request_press_register();
void create_press_register();

// Registers the presses of this process; nullptr when the library was not preloaded.
PressObserver* press_register();

struct RegisteredPress {
  int pid;
  bool is_fetcher;
  int owner_pid;
  bool owner_is_worker;
  Oid owner_role;
  Oid database;
  TimestampTz started_at;
  bool is_confined;  // it has told how
  Confinement confinement;
};

// Copies the presses that are registered now, at most `most`, and returns their number.
int read_press_register(RegisteredPress* presses, int most);
int press_register_size();

}  // namespace imgpress
