// The bridge between the C++ zone (may throw, never calls PostgreSQL) and the PostgreSQL zone (may
// ereport, so no local with a destructor may be alive there).
//
//   guard([&] { ... });            runs C++ code; an exception becomes an ereport(ERROR) that is
//                                  raised after the catch block has closed and every object of the
//                                  lambda is gone
//   check_interrupts()             called by C++ code in the midst of long work: what PostgreSQL
//                                  raises then (cancel, time-out) leaves as a C++ exception, which
//                                  guard() raises again
//   make_in<T>(context, args...)   a C++ object that lives as long as a memory context, and whose
//                                  destructor runs when that is reset or deleted
#pragma once

#include <exception>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#include "core/rules/fault.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// An error of PostgreSQL's on its way through C++ code.
struct PostgresError {
  ErrorData* error;
};

void check_interrupts();

// Room for an exception's words that needs no destructor.
struct CaughtError {
  bool set = false;
  ErrorData* postgres = nullptr;  // raised as it is
  Fault fault = Fault::kNone;
  int sqlstate = ERRCODE_INTERNAL_ERROR;
  char message[1024];

  void capture(int code, const char* text) noexcept;
  void capture_current() noexcept;  // REQUIRES: called inside a catch block
  void raise() const;               // ereport(ERROR)
};

template <typename Function>
void guard(Function&& function) {
  CaughtError error;
  try {
    function();
  } catch (...) {
    error.capture_current();
  }
  if (error.set) error.raise();
}

// Raises the SQLSTATE, the message and the hint of a fault.
[[noreturn]] void raise_fault(Fault fault, const char* message);

template <typename T, typename... Args>
T* make_in(MemoryContext context, Args&&... args) {
  static_assert(alignof(T) <= MAXIMUM_ALIGNOF);
  void* place = MemoryContextAlloc(context, sizeof(T));
  auto* callback = static_cast<MemoryContextCallback*>(
      MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
  T* object = nullptr;
  guard([&] { object = new (place) T(std::forward<Args>(args)...); });
  callback->arg = object;
  callback->func = [](void* arg) { static_cast<T*>(arg)->~T(); };
  MemoryContextRegisterResetCallback(context, callback);
  return object;
}

}  // namespace imgpress
