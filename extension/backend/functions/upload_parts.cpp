// upload_bytes(): joins the parts of an upload, in no more memory than the file needs.
#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "executor/spi.h"
#include "utils/portal.h"
}

namespace imgpress {
namespace {

constexpr const char* kSize =
    "SELECT coalesce(pg_catalog.sum(pg_catalog.octet_length(p.bytes)), 0)::pg_catalog.int8 "
    "FROM imgpress_internal.upload_parts p WHERE p.upload_id OPERATOR(pg_catalog.=) $1";
constexpr const char* kParts =
    "SELECT p.bytes FROM imgpress_internal.upload_parts p WHERE p.upload_id OPERATOR(pg_catalog.=) "
    "$1 "
    "ORDER BY p.part_no";
constexpr long kPartsAtOnce = 8;

int64 size_of_upload(Datum upload_id) {
  Oid type = UUIDOID;
  if (SPI_execute_with_args(kSize, 1, &type, &upload_id, nullptr, true, 1) != SPI_OK_SELECT) {
    elog(ERROR, "imgpress: cannot read the parts of the upload");
  }
  bool is_null = false;
  return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
}

// Appends the part of this row at `end`; returns the new end.
char* append_part(HeapTuple row, char* end, const char* limit) {
  bool is_null = false;
  const Datum value = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &is_null);
  bytea* part = DatumGetByteaPP(value);
  const size_t size = VARSIZE_ANY_EXHDR(part);
  if (size > static_cast<size_t>(limit - end))
    elog(ERROR, "imgpress: the upload has changed while it was being read");
  memcpy(end, VARDATA_ANY(part), size);
  if (reinterpret_cast<Pointer>(part) != DatumGetPointer(value)) pfree(part);
  return end + size;
}

char* append_parts(Datum upload_id, char* end, const char* limit) {
  Oid type = UUIDOID;
  Portal portal = SPI_cursor_open_with_args(nullptr, kParts, 1, &type, &upload_id, nullptr, true,
                                            CURSOR_OPT_NO_SCROLL);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    SPI_cursor_fetch(portal, true, kPartsAtOnce);
    if (SPI_processed == 0) break;
    for (uint64 i = 0; i < SPI_processed; ++i) {
      end = append_part(SPI_tuptable->vals[i], end, limit);
    }
    SPI_freetuptable(SPI_tuptable);
  }
  SPI_cursor_close(portal);
  return end;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_upload_bytes);
}

Datum imgpress_upload_bytes(PG_FUNCTION_ARGS) {
  const Datum upload_id = PG_GETARG_DATUM(0);
  SPI_connect();
  const int64 size = size_of_upload(upload_id);
  if (size > static_cast<int64>(MaxAllocSize - VARHDRSZ)) {
    ereport(ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
             errmsg("the upload is larger than the 1 GB that PostgreSQL can hold in one value")));
  }
  auto* bytes = static_cast<bytea*>(SPI_palloc(static_cast<Size>(size) + VARHDRSZ));
  const char* end = append_parts(upload_id, VARDATA(bytes), VARDATA(bytes) + size);
  SET_VARSIZE(bytes, static_cast<Size>(end - reinterpret_cast<char*>(bytes)));
  SPI_finish();
  PG_RETURN_BYTEA_P(bytes);
}
