// Starting the process of the attached tables, for the drainer.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

constexpr const char* kAttachmentsName = "imgpress attachments";

// Keeps the process running while there is something to do for it.
class AttachmentsStarter {
 public:
  // Called in each turn of the drainer.
  void tend();

  // Why the process cannot be started, with the remedy, or what goes wrong in it; "" if all is
  // well.
  const char* trouble() const { return trouble_; }

  // When tend() is to be called again, in milliseconds; -1: when the latch is set.
  long due_ms() const;

 private:
  bool take_wanted();
  bool process_runs();
  void start();

  BackgroundWorkerHandle* handle_ = nullptr;
  TimestampTz looked_at_ = 0;
  TimestampTz try_at_ = 0;
  bool wanted_ = false;
  char trouble_[400] = "";
};

// Ends the process together with its drainer.
void end_attachments_process();

}  // namespace imgpress
