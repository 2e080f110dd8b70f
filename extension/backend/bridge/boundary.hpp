// The bridge between the C++ zone, which may throw and never calls PostgreSQL, and the PostgreSQL
// zone, which may ereport: a longjmp, so no local variable with a destructor may be alive there.
//
//   guard([&] { ... });           runs C++ code. An exception becomes an ereport(ERROR), which is
//                                 raised when all objects of the lambda have been destroyed
//   attempt([&] { ... })          likewise, but returns the exception instead of raising it
//   check_interrupts()            for long-running C++ code. If PostgreSQL raises an error (cancel,
//                                 time-out), throws it as an exception; guard() turns it back
//   make_in<T>(context, args...)  creates a C++ object in a memory context; its destructor runs
//                                 when the context is reset or deleted
#pragma once

#include <exception>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#include "core/rules/fault.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// A PostgreSQL error on its way through C++ code.
struct PostgresError {
  ErrorData* error;
};

void check_interrupts();

// Holds the message of an exception without needing a destructor.
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
CaughtError attempt(Function&& function) {
  CaughtError error;
  try {
    function();
  } catch (...) {
    error.capture_current();
  }
  return error;
}

template <typename Function>
void guard(Function&& function) {
  const CaughtError error = attempt(std::forward<Function>(function));
  if (error.set) error.raise();
}

// Raises the message with the SQLSTATE and the hint of the fault.
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
