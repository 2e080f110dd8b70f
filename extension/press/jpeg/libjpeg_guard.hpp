// Turns libjpeg's errors into exceptions. libjpeg reports a failure by calling error_exit, which
// must not return: the guard jumps back into run() by longjmp, and run() throws. The code in
// between must have no destructors to run, since longjmp would skip them.
#pragma once

#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "core/rules/fault.hpp"

namespace imgpress::press {

// Where the data of a truncated file ends.
struct Truncation {
  unsigned row;           // the first row of MCUs that is incomplete
  unsigned rows;          // rows of MCUs that the scan should have had
  int component;          // the scan's first component
  int first_coefficient;  // the scan's first coefficient, in zigzag order
  bool first_pass;        // false for a refining scan (successive approximation)
};

class LibjpegGuard {
 public:
  LibjpegGuard();
  LibjpegGuard(const LibjpegGuard&) = delete;
  LibjpegGuard& operator=(const LibjpegGuard&) = delete;

  // For the `err` member of libjpeg objects, of which several may share a guard.
  jpeg_error_mgr* errors() { return &state_.manager; }

  // Runs `step`. Its variables, and those of all it calls, must be trivially destructible. Throws
  // FaultError when it fails.
  template <typename Step>
  __attribute__((noinline)) void run(Step step) {
    if (setjmp(state_.landing) != 0) explain();
    step();
  }

  // From now on a file that ends too early is no failure; what is missing reads as zeros.
  void accept_truncation() { state_.accepts_truncation = true; }

  bool accepts_truncation() const { return state_.accepts_truncation; }

  // nullptr if the file is complete.
  const Truncation* truncation() const {
    return state_.is_truncated ? &state_.truncation : nullptr;
  }

  // True if the file ended before its end marker. The image may still be complete.
  bool ended_early() const { return state_.ended_early; }

  // libjpeg's first warning about something harmless; empty when there was none.
  const char* warning() const { return state_.warning; }

  // Ends the running step because the file has too many scans.
  [[noreturn]] static void stop_at_scan_limit(j_common_ptr jpeg);

 private:
  enum class Stop { kError, kScanLimit };

  // `manager` comes first, so that libjpeg's pointer to it is a pointer to the whole state.
  struct State {
    jpeg_error_mgr manager;
    std::jmp_buf landing;
    Stop stop;
    bool ended_early;
    bool accepts_truncation;
    bool is_truncated;
    Truncation truncation;
    char message[JMSG_LENGTH_MAX];
    char warning[JMSG_LENGTH_MAX];
  };

  static State& state_of(j_common_ptr jpeg) { return *reinterpret_cast<State*>(jpeg->err); }
  [[noreturn]] static void leave(j_common_ptr jpeg, Stop stop);
  static bool note_truncation(j_common_ptr jpeg);
  static void on_error(j_common_ptr jpeg);
  static void on_message(j_common_ptr jpeg, int level);
  static void on_output(j_common_ptr jpeg);
  [[noreturn]] void explain() const;

  State state_{};
};

}  // namespace imgpress::press
