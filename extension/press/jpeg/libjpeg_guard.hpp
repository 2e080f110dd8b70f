// libjpeg reports a failure by calling error_exit, which must not return. LibjpegGuard makes an
// exception of it without ever jumping over a C++ destructor: the jump lands inside run(), whose
// frame holds plain data only, and run() throws from there.
#pragma once

#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "core/rules/fault.hpp"

namespace imgpress::press {

// Where the data of a JPEG file ended before its picture did.
struct Truncation {
  unsigned row;      // of the scan, in units (MCUs): the first one that is not whole
  unsigned rows;     // that the scan should have had
  int component;     // the first of the scan
  int first_order;   // of its coefficients, in coding order
  bool first_visit;  // of these coefficients; false where it would have refined known ones
};

class LibjpegGuard {
 public:
  LibjpegGuard();
  LibjpegGuard(const LibjpegGuard&) = delete;
  LibjpegGuard& operator=(const LibjpegGuard&) = delete;

  // For the `err` member of any number of libjpeg objects.
  jpeg_error_mgr* errors() { return &frame_.manager; }

  // Runs `step`, whose own variables (and those of all it calls) must be trivially destructible.
  // False when the room for the output ran out; throws FaultError on every other failure.
  template <typename Step>
  __attribute__((noinline)) bool run(Step step) {
    if (setjmp(frame_.landing) != 0) return explain();
    step();
    return true;
  }

  // From now on data that end too early are no failure but a cut. What is missing reads as zeros.
  void accept_truncation() { frame_.accepts_truncation = true; }

  bool accepts_truncation() const { return frame_.accepts_truncation; }

  // Nothing where the data were complete.
  const Truncation* truncation() const {
    return frame_.is_truncated ? &frame_.truncation : nullptr;
  }

  // The data ended before the end marker, which alone does no harm to a picture that is complete.
  bool ended_early() const { return frame_.ended_early; }

  // The first harmless oddity that libjpeg met; empty when there was none.
  const char* warning() const { return frame_.warning; }

  // Ends the running step because the output does not fit.
  [[noreturn]] static void stop_at_size_limit(j_common_ptr jpeg);

  // Ends the running step because the file has more scans than any honest one.
  [[noreturn]] static void stop_at_scan_limit(j_common_ptr jpeg);

 private:
  enum class Stop { kError, kSizeLimit, kScanLimit };

  // Plain data: libjpeg's view of it is the first member, so one address serves both.
  struct Frame {
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

  static Frame& frame_of(j_common_ptr jpeg) { return *reinterpret_cast<Frame*>(jpeg->err); }
  [[noreturn]] static void leave(j_common_ptr jpeg, Stop stop);
  static bool note_truncation(j_common_ptr jpeg);
  static void on_error(j_common_ptr jpeg);
  static void on_message(j_common_ptr jpeg, int level);
  static void on_output(j_common_ptr jpeg);
  bool explain() const;

  Frame frame_{};
};

}  // namespace imgpress::press
