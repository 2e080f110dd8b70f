// Short transactions of a background worker, under the role imgpress_worker.
#pragma once

#include "drain/queue.hpp"

namespace imgpress {

using TransactionBody = void (*)(void* arg);

// Runs `body` inside a transaction with SPI connected; it may ereport, but no C++ exception may
// leave it. `activity` is shown in pg_stat_activity. Never kUnknown: the answer to a COMMIT can't
// get lost.
CallEnd run_transaction(const char* activity, TransactionBody body, void* arg);

}  // namespace imgpress
