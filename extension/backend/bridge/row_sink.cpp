#include "backend/bridge/row_sink.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace imgpress {

RowSink* open_rows(FunctionCallInfo fcinfo) {
  auto* info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  if (info == nullptr || !IsA(info, ReturnSetInfo) ||
      (info->allowedModes & SFRM_Materialize) == 0) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("set-returning function called in a context that cannot take a set")));
  }
  const MemoryContext old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
  auto* rows = static_cast<RowSink*>(palloc(sizeof(RowSink)));
  if (get_call_result_type(fcinfo, nullptr, &rows->descriptor) != TYPEFUNC_COMPOSITE) {
    elog(ERROR, "return type must be a row type");
  }
  rows->descriptor = BlessTupleDesc(rows->descriptor);
  rows->store =
      tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
  info->returnMode = SFRM_Materialize;
  info->setResult = rows->store;
  info->setDesc = rows->descriptor;
  MemoryContextSwitchTo(old);
  return rows;
}

}  // namespace imgpress
