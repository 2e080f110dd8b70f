// The queue as the background worker reaches it: each call is one transaction, carried out over SPI
// within submit(). The only file that knows the SQL of these calls.
#pragma once

#include <optional>

#include "drain/queue.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "executor/spi.h"
}

namespace imgpress {

class Row;

class SpiQueue final : public Queue {
 public:
  void submit(const Call& call) override;
  std::optional<Ended> poll() override;

 private:
  // A prepared statement; its plan is kept until the process ends.
  struct Statement {
    const char* sql;
    SPIPlanPtr plan;
  };

  template <typename C>
  Ended run(const C& call);

  // PostgreSQL zone. Run inside the transaction, may ereport, and fill the answer.
  void carry_out(const RescueCall& call, RescueAnswer* answer);
  void carry_out(const RenewCall& call, RenewAnswer* answer);
  void carry_out(const ReleaseCall& call, ReleaseAnswer* answer);
  void carry_out(const FinishCall& call, FinishAnswer* answer);
  void carry_out(const FinishDeliveriesCall& call, FinishDeliveriesAnswer* answer);
  void carry_out(const HostRulesCall& call, HostRulesAnswer* answer);
  void carry_out(const ClaimCall& call, ClaimAnswer* answer);
  void carry_out(const ClaimDeliveriesCall& call, ClaimDeliveriesAnswer* answer);

  static void note_claimed_delivery(const Row& row, ClaimDeliveriesAnswer* answer);
  TupleDesc outcome_descriptor();

  std::optional<Ended> ended_;
  Statement claim_{"SELECT * FROM imgpress_internal.claim_images($1, $2, $3, $4, $5, $6, $7, $8)",
                   nullptr};
  Statement finish_{"SELECT * FROM imgpress_internal.finish_images($1, $2)", nullptr};
  Statement rescue_{"SELECT imgpress_internal.rescue($1, $2) AS rescued", nullptr};
  Statement release_{"SELECT imgpress_internal.release_leases($1, false)", nullptr};
  Statement renew_{"SELECT * FROM imgpress_internal.renew_leases($1, $2)", nullptr};
  Statement host_rules_{"SELECT * FROM imgpress_internal.host_rules()", nullptr};
  Statement claim_deliveries_{
      "SELECT * FROM imgpress_internal.claim_deliveries($1, $2, $3, $4, $5)", nullptr};
  Statement finish_delivery_{
      "SELECT imgpress_internal.finish_delivery($1, $2, $3, $4, $5, $6) AS recorded", nullptr};
  Oid outcome_type_ = InvalidOid;
};

}  // namespace imgpress
