#include "backend/attach/key_text.hpp"

#include "backend/bridge/plain_output.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
}

namespace imgpress {
namespace {

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

struct KeyOfRow {
  KeyFormat* format;
  TupleTableSlot* row;
  const char* text;
};

void print_key(void* arg) {
  auto* key = static_cast<KeyOfRow*>(arg);
  key->text = key->format->count == 1 ? column_text(&key->format->columns[0], key->row)
                                      : text_of_array(key->format, key->row);
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
  KeyOfRow key{format, row, nullptr};
  with_plain_output(print_key, &key);
  return key.text;
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
