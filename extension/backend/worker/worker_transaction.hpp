// Short transactions of a background worker, under the role imgpress_worker.
#pragma once

namespace imgpress {

using TransactionBody = void (*)(void* arg);

enum class TransactionEnd {
  kCommitted,
  kNotInstalled,  // the extension (or its role) does not exist in this database: nothing was run
  kFailed,        // the error has been logged
};

// Runs `body` inside a transaction with SPI connected. `activity` is shown in pg_stat_activity.
TransactionEnd run_transaction(const char* activity, TransactionBody body, void* arg);

}  // namespace imgpress
