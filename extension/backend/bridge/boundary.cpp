#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "backend/bridge/boundary.hpp"
#include "backend/error_hint.hpp"

namespace imgpress {

namespace {

// Returns the error that PostgreSQL has raised, or nullptr. Does not return if the session is being
// terminated.
ErrorData* process_interrupts() {
  const MemoryContext context = CurrentMemoryContext;
  ErrorData* volatile error = nullptr;
  PG_TRY();
  { CHECK_FOR_INTERRUPTS(); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    error = CopyErrorData();
    FlushErrorState();
  }
  PG_END_TRY();
  return error;
}

}  // namespace

void check_interrupts() {
  if (!InterruptPending) return;
  if (ErrorData* error = process_interrupts()) throw PostgresError{error};
}

void CaughtError::capture(int code, const char* text) noexcept {
  set = true;
  sqlstate = code;
  const std::size_t size = std::min(std::strlen(text), sizeof(message) - 1);
  std::memcpy(message, text, size);
  message[size] = '\0';
}

void CaughtError::capture_current() noexcept {
  try {
    throw;
  } catch (const PostgresError& error) {
    set = true;
    postgres = error.error;
  } catch (const FaultError& error) {
    capture(ERRCODE_INTERNAL_ERROR, error.what());
    fault = error.fault();
  } catch (const std::invalid_argument& error) {
    capture(ERRCODE_INVALID_PARAMETER_VALUE, error.what());
  } catch (const std::bad_alloc&) {
    capture(ERRCODE_OUT_OF_MEMORY, "out of memory");
  } catch (const std::system_error& error) {
    capture(ERRCODE_SYSTEM_ERROR, error.what());
  } catch (const std::exception& error) {
    capture(ERRCODE_INTERNAL_ERROR, error.what());
  } catch (...) {
    capture(ERRCODE_INTERNAL_ERROR, "unknown C++ exception");
  }
}

void CaughtError::raise() const {
  if (postgres != nullptr) ReThrowError(postgres);
  if (fault != Fault::kNone) raise_fault(fault, message);
  // A message about a bad parameter is for the caller; all others are internal errors and say that
  // they come from imgpress.
  const char* prefix = sqlstate == ERRCODE_INVALID_PARAMETER_VALUE ? "" : "imgpress: ";
  ereport(ERROR, (errcode(sqlstate), errmsg("%s%s", prefix, message)));
}

void raise_fault(Fault fault, const char* message) {
  const char* state = error_code(fault).sqlstate;
  const char* hint = error_hint(&error_code(fault), message);
  ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                  errmsg("%s", message), hint != nullptr ? errhint("%s", hint) : 0));
  pg_unreachable();
}

}  // namespace imgpress
