// same_bytes() and hmac_sha256(): what comparing and signing with secrets needs.
#include "backend/access/secrets.hpp"

extern "C" {
#include "common/hmac.h"
#include "common/sha2.h"
}

namespace imgpress {
namespace {

const uint8* bytes_of(const bytea* value) {
  return reinterpret_cast<const uint8*>(VARDATA_ANY(value));
}

}  // namespace

bool same_bytes(const bytea* a, const bytea* b) {
  const size_t size = VARSIZE_ANY_EXHDR(a);
  if (size != VARSIZE_ANY_EXHDR(b)) return false;
  volatile uint8 differences = 0;  // volatile: no early end by the compiler either
  for (size_t i = 0; i < size; ++i) differences = differences | (bytes_of(a)[i] ^ bytes_of(b)[i]);
  return differences == 0;
}

}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_same_bytes);
PG_FUNCTION_INFO_V1(imgpress_hmac_sha256);
}

Datum imgpress_same_bytes(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(same_bytes(PG_GETARG_BYTEA_PP(0), PG_GETARG_BYTEA_PP(1)));
}

Datum imgpress_hmac_sha256(PG_FUNCTION_ARGS) {
  const bytea* key = PG_GETARG_BYTEA_PP(0);
  const bytea* message = PG_GETARG_BYTEA_PP(1);
  auto* digest = static_cast<bytea*>(palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH));
  SET_VARSIZE(digest, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
  pg_hmac_ctx* context = pg_hmac_create(PG_SHA256);
  if (pg_hmac_init(context, bytes_of(key), VARSIZE_ANY_EXHDR(key)) < 0 ||
      pg_hmac_update(context, bytes_of(message), VARSIZE_ANY_EXHDR(message)) < 0 ||
      pg_hmac_final(context, reinterpret_cast<uint8*>(VARDATA(digest)), PG_SHA256_DIGEST_LENGTH) <
          0) {
    const char* reason = pg_hmac_error(context);
    pg_hmac_free(context);
    elog(ERROR, "imgpress: HMAC failed: %s", reason);
  }
  pg_hmac_free(context);
  PG_RETURN_BYTEA_P(digest);
}
