#include "backend/bridge/plain_output.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "pgtime.h"
#include "utils/bytea.h"
#include "utils/float.h"
}

namespace imgpress {
namespace {

// What the output functions of PostgreSQL's types depend on. Set as variables, since setting and
// resetting five settings would take longer than a statement of one row.
struct OutputStyle {
  int date_style = DateStyle;
  int interval_style = IntervalStyle;
  int bytea_style = bytea_output;
  int float_digits = extra_float_digits;
  pg_tz* zone = session_timezone;

  void apply() const {
    DateStyle = date_style;
    IntervalStyle = interval_style;
    bytea_output = bytea_style;
    extra_float_digits = float_digits;
    session_timezone = zone;
  }
};

OutputStyle plain_style() {
  static pg_tz* utc = nullptr;
  if (utc == nullptr) utc = pg_tzset("UTC");
  OutputStyle style;
  style.date_style = USE_ISO_DATES;
  style.interval_style = INTSTYLE_POSTGRES;
  style.bytea_style = BYTEA_OUTPUT_HEX;
  style.float_digits = 1;
  style.zone = utc;
  return style;
}

}  // namespace

void with_plain_output(void (*print)(void*), void* arg) {
  const OutputStyle before;
  const OutputStyle plain = plain_style();
  PG_TRY();
  {
    plain.apply();
    print(arg);
  }
  PG_FINALLY();
  { before.apply(); }
  PG_END_TRY();
}

}  // namespace imgpress
