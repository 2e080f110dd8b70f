// One piece of work on attached tables after the other: what to do is read as imgpress_worker, done
// as the table's owner, and recorded as imgpress_worker. A process that ends in between has done
// nothing, or has written what is then written once more to no effect.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

enum class WorkEnd {
  kDone,          // something; there may be more
  kNothing,       // there is nothing to do at present
  kNotInstalled,  // the extension is gone
  kFailed,        // as imgpress_worker: to be tried again after a pause
};

WorkEnd do_attached_work();

// After kFailed: why.
const char* attached_work_error();

// When there will be something to do, after kNothing: milliseconds; -1: not known.
long attached_work_due_ms();

// An earlier process ended while it worked as the owner of this attachment's table.
void blame_attachment(const pg_uuid_t* attachment);

// Whether the drainer should start a process: looks for changes that nobody announces, too.
bool attached_tables_have_work();

}  // namespace imgpress
