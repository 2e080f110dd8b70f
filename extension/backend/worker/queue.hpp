// The drainer's statements: thin calls of the SQL functions in sql/50_queue.sql. All of them run
// inside a transaction that the caller has opened, and may ereport.
#pragma once

#include "drain/window.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "executor/spi.h"
}

namespace imgpress {

struct ClaimedImage {
  pg_uuid_t request_id;
  int32 position;
  const char* url;
  int16 quality;
  int16 attempts;
  int16 failed_attempts;
  int16 codec_crashes;
  const char* effort;
};

struct ClaimedDelivery {
  int64 id;
  const char* url;
  const char* payload;
  const char** headers;
  int header_count;
};

// What the drainer holds already, as the arrays that claim_images() takes.
struct HeldCounts {
  const pg_uuid_t* request_ids;
  const int32* counts;
  int size;
};

struct DeliveryResult {
  int64 id;
  int64 token;
  int32 http_status;
  const char* error;  // nullptr: delivered
  int32 retry_after_seconds;
};

// Results of claims live in the SPI memory of the surrounding transaction.
struct ClaimedImages {
  const ClaimedImage* images;
  int count;
};
struct ClaimedDeliveries {
  const ClaimedDelivery* deliveries;
  int count;
};

// What end_copies() did. `remaining`: more copies are to end. `served`: the request served last.
struct EndedCopies {
  int images;
  bool remaining;
  pg_uuid_t served;
};

// When something is due that nobody announces.
struct NextDue {
  TimestampTz at;   // DT_NOEND when nothing is
  bool copies;      // end_copies() has something to do
  bool deliveries;  // claim_deliveries() too
};

// What finishing images has brought about.
struct FinishedBatch {
  bool copied;  // some have copies: end_copies() has something to do
  bool ended;   // a request has ended
};

class Queue {
 public:
  // Of the slots, up to `retry_slots` are for images whose next attempt is due.
  ClaimedImages claim_images(int64 token, int slots, int retry_slots, const HeldCounts& held,
                             int lease_ms);
  ClaimedDeliveries claim_deliveries(int64 token, int slots, int lease_ms);
  // Stores what is still ours; whoever lost a lease is left out. Sets `put_off` of those whose
  // request another session has locked: they are to be finished later.
  FinishedBatch finish_images(FinishedImage* images, int count);
  // Requests take turns: the one after the last that was served is next.
  EndedCopies end_copies(const pg_uuid_t& after);
  void finish_delivery(const DeliveryResult& result, const char* retry_delays);
  void end_leases(const std::vector<std::int64_t>& tokens);
  void renew_leases(const std::vector<std::int64_t>& tokens, int lease_ms);
  // Puts back what nobody works on any more; returns how many images.
  int64 rescue(bool expired_only);
  void rescue_deliveries();
  NextDue next_due();

 private:
  void store_output(const FinishedImage& image);

  SPIPlanPtr claim_images_ = nullptr;
  SPIPlanPtr claim_deliveries_ = nullptr;
  SPIPlanPtr finish_images_ = nullptr;
  SPIPlanPtr end_copies_ = nullptr;
  SPIPlanPtr finish_delivery_ = nullptr;
  SPIPlanPtr store_output_ = nullptr;
  SPIPlanPtr end_leases_ = nullptr;
  SPIPlanPtr renew_leases_ = nullptr;
  SPIPlanPtr next_due_ = nullptr;
};

}  // namespace imgpress
