// The rows of a set-returning function.
#pragma once

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace imgpress {

struct RowSink {
  Tuplestorestate* store;
  TupleDesc descriptor;
};

// Makes the tuplestore that this call returns; it lasts as long as the query.
RowSink* open_rows(FunctionCallInfo fcinfo);

}  // namespace imgpress
