// Arguments and results of SQL statements: arrays, composite values, and rows by column name.
// PostgreSQL zone; everything is allocated in the current memory context.
#pragma once

#include <new>
#include <type_traits>

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "executor/spi.h"
}

namespace imgpress {

// A row that a statement returned, or a value of a composite type.
class Row {
 public:
  Row(HeapTuple tuple, TupleDesc descriptor) : tuple_(tuple), descriptor_(descriptor) {}

  // The n-th row of the last statement.
  static Row of_result(uint64 n) { return {SPI_tuptable->vals[n], SPI_tuptable->tupdesc}; }

  // Columns that are never NULL.
  bool get_bool(const char* column) const { return DatumGetBool(get(column)); }
  int16 get_int2(const char* column) const { return DatumGetInt16(get(column)); }
  int32 get_int4(const char* column) const { return DatumGetInt32(get(column)); }
  int64 get_int8(const char* column) const { return DatumGetInt64(get(column)); }
  const pg_uuid_t* get_uuid(const char* column) const { return DatumGetUUIDP(get(column)); }
  const char* get_text(const char* column) const { return TextDatumGetCString(get(column)); }

  Datum get(const char* column) const;
  Datum get(const char* column, bool* is_null) const;

 private:
  HeapTuple tuple_;
  TupleDesc descriptor_;
};

// The elements of an array that holds no NULLs; none for an SQL NULL.
struct Elements {
  Datum* values;
  int count;
};
Elements array_elements(const Row& row, const char* column);

// The same of a text[], as C strings.
struct Lines {
  const char** begin;
  const char** end;
};
Lines lines_of(const Row& row, const char* column);

// The elements of an array that may hold NULLs.
struct NullableElements {
  Datum* values;
  bool* nulls;
  int count;
};
NullableElements nullable_elements(const Row& row, const char* column);

// An argument of a statement or function.
struct Argument {
  Argument(Oid of_type, Datum its_value, bool null = false)
      : value(its_value), type(of_type), is_null(null) {}
  Datum value;
  Oid type;
  bool is_null;
};

// Arguments in the form in which SPI takes them.
struct SpiArguments {
  static constexpr int kMost = 8;
  SpiArguments(const Argument* arguments, int count);
  Oid types[kMost];
  Datum values[kMost];
  char nulls[kMost];
};

// An array, filled element by element; each is NULL until it is set.
class ArrayArgument {
 public:
  ArrayArgument(Oid element_type, int size);
  void set(int i, Datum value);
  Datum datum() const;
  // The same as a read-only expanded array, which has the values themselves instead of copies, and
  // must not outlive them: PL/pgSQL expands others, and copies them once more. REQUIRES: no value
  // is TOASTed.
  Datum expanded_datum() const;

 private:
  Oid type_;
  Datum* values_;
  bool* nulls_;
  int size_;
};

// A value of a composite type, filled by column name; each is NULL until it is set.
class CompositeArgument {
 public:
  explicit CompositeArgument(TupleDesc descriptor);
  void set(const char* column, Datum value);
  void set_text(const char* column, const char* text);  // nullptr: NULL
  Datum datum() const;

 private:
  TupleDesc descriptor_;
  Datum* values_;
  bool* nulls_;
};

Datum interval_of_ms(int64 milliseconds);

static_assert(std::is_trivially_destructible_v<Row> &&
              std::is_trivially_destructible_v<ArrayArgument> &&
              std::is_trivially_destructible_v<CompositeArgument>);

}  // namespace imgpress
