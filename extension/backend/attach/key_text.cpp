#include "backend/attach/key_text.hpp"

extern "C" {
#include "pgtime.h"
#include "utils/bytea.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
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

OutputStyle iso_style() {
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

char* column_text(KeyColumn* column, TupleTableSlot* row) {
  bool is_null = false;
  const Datum value = slot_getattr(row, column->number, &is_null);
  if (is_null) elog(ERROR, "imgpress: a key column is NULL");
  return OutputFunctionCall(&column->output, value);
}

const char* text_of_array(KeyFormat* format, TupleTableSlot* row) {
  Datum elements[INDEX_MAX_KEYS];
  for (int i = 0; i < format->count; i++) {
    elements[i] = CStringGetTextDatum(column_text(&format->columns[i], row));
  }
  ArrayType* array = construct_array(elements, format->count, TEXTOID, -1, false, TYPALIGN_INT);
  return OutputFunctionCall(&format->array_output, PointerGetDatum(array));
}

}  // namespace

KeyFormat* key_format(TupleDesc descriptor, const AttrNumber* numbers, int count,
                      MemoryContext memory) {
  auto* format = static_cast<KeyFormat*>(MemoryContextAllocZero(memory, sizeof(KeyFormat)));
  format->count = count;
  format->columns =
      static_cast<KeyColumn*>(MemoryContextAllocZero(memory, sizeof(KeyColumn) * count));
  for (int i = 0; i < count; i++) {
    KeyColumn& column = format->columns[i];
    const Form_pg_attribute attribute = TupleDescAttr(descriptor, numbers[i] - 1);
    column.number = numbers[i];
    column.by_value = attribute->attbyval;
    column.length = attribute->attlen;
    Oid function = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(attribute->atttypid, &function, &is_varlena);
    fmgr_info_cxt(function, &column.output, memory);
  }
  fmgr_info_cxt(F_ARRAY_OUT, &format->array_output, memory);
  return format;
}

const char* key_text(KeyFormat* format, TupleTableSlot* row) {
  const OutputStyle before;
  const OutputStyle iso = iso_style();
  const char* volatile text = nullptr;
  PG_TRY();
  {
    iso.apply();
    text = format->count == 1 ? column_text(&format->columns[0], row) : text_of_array(format, row);
  }
  PG_FINALLY();
  { before.apply(); }
  PG_END_TRY();
  return text;
}

bool same_key(const KeyFormat* format, TupleTableSlot* one, TupleTableSlot* other) {
  for (int i = 0; i < format->count; i++) {
    const KeyColumn& column = format->columns[i];
    bool is_null = false;
    const Datum left = slot_getattr(one, column.number, &is_null);
    const Datum right = slot_getattr(other, column.number, &is_null);
    if (!datum_image_eq(left, right, column.by_value, column.length)) return false;
  }
  return true;
}

}  // namespace imgpress
