#include "backend/bridge/sql_values.hpp"

extern "C" {
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace imgpress {

Datum Row::get(const char* column, bool* is_null) const {
  const int number = SPI_fnumber(descriptor_, column);
  if (number <= 0) elog(ERROR, "there is no column \"%s\"", column);
  return heap_getattr(tuple_, number, descriptor_, is_null);
}

Datum Row::get(const char* column) const {
  bool is_null = false;
  const Datum value = get(column, &is_null);
  if (is_null) elog(ERROR, "column \"%s\" is NULL", column);
  return value;
}

NullableElements nullable_elements(const Row& row, const char* column) {
  bool is_null = false;
  const Datum value = row.get(column, &is_null);
  if (is_null) return {nullptr, nullptr, 0};
  ArrayType* array = DatumGetArrayTypeP(value);
  int16 length = 0;
  bool by_value = false;
  char alignment = '\0';
  get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
  NullableElements elements{};
  deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &elements.values,
                    &elements.nulls, &elements.count);
  return elements;
}

Elements array_elements(const Row& row, const char* column) {
  const NullableElements elements = nullable_elements(row, column);
  return {elements.values, elements.count};
}

Lines lines_of(const Row& row, const char* column) {
  const Elements texts = array_elements(row, column);
  auto** lines = static_cast<const char**>(palloc(sizeof(char*) * Max(texts.count, 1)));
  for (int i = 0; i < texts.count; ++i) lines[i] = TextDatumGetCString(texts.values[i]);
  return {lines, lines + texts.count};
}

SpiArguments::SpiArguments(const Argument* arguments, int count) {
  Assert(count <= kMost);
  for (int i = 0; i < count; ++i) {
    types[i] = arguments[i].type;
    values[i] = arguments[i].value;
    nulls[i] = arguments[i].is_null ? 'n' : ' ';
  }
}

ArrayArgument::ArrayArgument(Oid element_type, int size)
    : type_(element_type),
      values_(static_cast<Datum*>(palloc0(sizeof(Datum) * Max(size, 1)))),
      nulls_(static_cast<bool*>(palloc(sizeof(bool) * Max(size, 1)))),
      size_(size) {
  memset(nulls_, true, sizeof(bool) * size);
}

void ArrayArgument::set(int i, Datum value) {
  values_[i] = value;
  nulls_[i] = false;
}

Datum ArrayArgument::datum() const {
  if (size_ == 0) return PointerGetDatum(construct_empty_array(type_));
  int16 length = 0;
  bool by_value = false;
  char alignment = '\0';
  get_typlenbyvalalign(type_, &length, &by_value, &alignment);
  int size = size_;
  int lower_bound = 1;
  return PointerGetDatum(construct_md_array(values_, nulls_, 1, &size, &lower_bound, type_, length,
                                            by_value, alignment));
}

Datum ArrayArgument::expanded_datum() const {
  ExpandedArrayHeader* array = construct_empty_expanded_array(type_, CurrentMemoryContext, nullptr);
  if (size_ == 0) return EOHPGetRODatum(&array->hdr);
  const MemoryContext before = MemoryContextSwitchTo(array->hdr.eoh_context);
  array->ndims = 1;
  array->dims = static_cast<int*>(palloc(sizeof(int)));
  array->lbound = static_cast<int*>(palloc(sizeof(int)));
  array->dvalues = static_cast<Datum*>(palloc(sizeof(Datum) * size_));
  array->dnulls = static_cast<bool*>(palloc(sizeof(bool) * size_));
  MemoryContextSwitchTo(before);
  *array->dims = array->dvalueslen = array->nelems = size_;
  *array->lbound = 1;
  memcpy(array->dvalues, values_, sizeof(Datum) * size_);
  memcpy(array->dnulls, nulls_, sizeof(bool) * size_);
  array->flat_size = 0;  // not known
  array->fvalue = nullptr;
  return EOHPGetRODatum(&array->hdr);
}

CompositeArgument::CompositeArgument(TupleDesc descriptor)
    : descriptor_(descriptor),
      values_(static_cast<Datum*>(palloc0(sizeof(Datum) * descriptor->natts))),
      nulls_(static_cast<bool*>(palloc(sizeof(bool) * descriptor->natts))) {
  memset(nulls_, true, sizeof(bool) * descriptor->natts);
}

void CompositeArgument::set(const char* column, Datum value) {
  const int number = SPI_fnumber(descriptor_, column);
  if (number <= 0) elog(ERROR, "there is no column \"%s\"", column);
  values_[number - 1] = value;
  nulls_[number - 1] = false;
}

void CompositeArgument::set_text(const char* column, const char* text) {
  if (text != nullptr) set(column, CStringGetTextDatum(text));
}

Datum CompositeArgument::datum() const {
  return HeapTupleGetDatum(heap_form_tuple(descriptor_, values_, nulls_));
}

Datum interval_of_ms(int64 milliseconds) {
  auto* span = static_cast<Interval*>(palloc0(sizeof(Interval)));
  span->time = milliseconds * 1000;
  return IntervalPGetDatum(span);
}

}  // namespace imgpress
