// read_input(), csv_faults() and csv_text(): read the products of a submission, or report every
// fault.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/input/csv/csv_encoding.hpp"
#include "core/input/csv/csv_input.hpp"
#include "core/input/image_numbers.hpp"
#include "core/input/product.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/row_sink.hpp"
#include "backend/bridge/sql_values.hpp"
#include "backend/input/fault_report.hpp"
#include "backend/input/input_values.hpp"

extern "C" {
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
}

namespace imgpress {
namespace {

constexpr std::size_t kMaxColumnsInNotice = 20;

// Reads products one by one and collects faults. Lives in a memory context, since reading may
// ereport.
struct InputReader {
  WorkMeter meter{check_interrupts};
  InputFaults faults;
  std::optional<CsvInput> csv;
  ProductCells cells;              // of the array element that is being read
  std::optional<Product> product;  // the last one that was read
  int product_count = 0;
  RowSink* rows = nullptr;              // nullptr: only the faults are wanted
  MemoryContext row_context = nullptr;  // reset after each row
  std::optional<ImageNumbers> images;   // only if rows are wanted

  void take(std::optional<Product> read);
};

void InputReader::take(std::optional<Product> read) {
  product = std::move(read);
  if (!product) return;
  ++product_count;
  if (images) images->number(product->urls, meter);
}

// The fields of the last product's row; false if they need not be kept.
bool make_row_fields(InputReader* reader, Datum* fields) {
  if (!reader->csv) return false;
  auto* row = make_in<CsvFields>(CurrentMemoryContext);
  guard([&] { *row = reader->csv->row_fields(); });
  if (row->empty()) return false;
  ArrayArgument array(TEXTOID, static_cast<int>(row->size()));
  for (std::size_t i = 0; i < row->size(); ++i) {
    CHECK_FOR_INTERRUPTS();
    const std::string_view field = (*row)[i];
    array.set(static_cast<int>(i), PointerGetDatum(cstring_to_text_with_len(
                                       field.data(), static_cast<int>(field.size()))));
  }
  *fields = array.datum();
  return true;
}

// Adds the row of the last product to the result.
void store_product(InputReader* reader) {
  if (!reader->product || reader->rows == nullptr || !reader->faults.empty()) return;
  const Product& product = *reader->product;
  const std::vector<int32>& numbers = reader->images->image_nos();
  const std::vector<std::size_t>& new_images = reader->images->new_images();
  const auto image_count = static_cast<int>(numbers.size());
  const auto new_count = static_cast<int>(new_images.size());
  const MemoryContext caller = MemoryContextSwitchTo(reader->row_context);
  ArrayArgument image_nos(INT4OID, image_count);
  ArrayArgument new_nos(INT4OID, new_count);
  ArrayArgument new_urls(TEXTOID, new_count);
  for (int i = 0; i < image_count; ++i) {
    image_nos.set(i, Int32GetDatum(numbers[static_cast<std::size_t>(i)]));
  }
  for (int i = 0; i < new_count; ++i) {
    CHECK_FOR_INTERRUPTS();
    const std::size_t image = new_images[static_cast<std::size_t>(i)];
    new_nos.set(i, Int32GetDatum(numbers[image]));
    new_urls.set(i, text_datum(product.urls[image]));
  }
  Datum values[] = {Int32GetDatum(reader->product_count),
                    Int64GetDatum(product.serial_number),
                    text_datum(product.name),
                    image_nos.datum(),
                    new_nos.datum(),
                    new_urls.datum(),
                    (Datum)0};
  bool nulls[7] = {};
  nulls[6] = !make_row_fields(reader, &values[6]);
  tuplestore_putvalues(reader->rows->store, reader->rows->descriptor, values, nulls);
  MemoryContextSwitchTo(caller);
  MemoryContextReset(reader->row_context);
}

void read_csv(InputReader* reader, const char* text, size_t size) {
  guard([&] { reader->csv.emplace(std::string_view(text, size), reader->meter, reader->faults); });
  bool more = true;
  while (more) {
    CHECK_FOR_INTERRUPTS();
    guard([&] {
      reader->take(reader->csv->next());
      more = reader->product.has_value();
    });
    store_product(reader);
  }
}

void read_csv_text(InputReader* reader, text* csv) {
  read_csv(reader, VARDATA_ANY(csv), VARSIZE_ANY_EXHDR(csv));
}

char* text_field(HeapTupleHeader tuple, AttrNumber number) {
  bool is_null = false;
  const Datum value = GetAttributeByNum(tuple, number, &is_null);
  return is_null ? pstrdup("") : TextDatumGetCString(value);
}

void read_element(InputReader* reader, int number, HeapTupleHeader tuple) {
  bool no_serial = false;
  const Datum serial = GetAttributeByNum(tuple, 1, &no_serial);
  const char* serial_text = no_serial ? "" : psprintf(INT64_FORMAT, DatumGetInt64(serial));
  const char* name = text_field(tuple, 2);
  const char* urls = text_field(tuple, 3);
  guard([&] {
    reader->cells = {serial_text, name, {urls}};
    reader->take(read_product(number, reader->cells, reader->meter, reader->faults));
  });
}

void read_products(InputReader* reader, ArrayType* products) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(products, ARR_ELEMTYPE(products), -1, false, TYPALIGN_DOUBLE, &elements, &nulls,
                    &count);
  const MemoryContext one =
      AllocSetContextCreate(CurrentMemoryContext, "imgpress product", ALLOCSET_DEFAULT_SIZES);
  for (int i = 0; i < count; ++i) {
    CHECK_FOR_INTERRUPTS();
    if (nulls[i]) {
      guard([&] { reader->faults.add({i + 1, "", "is NULL"}); });
      continue;
    }
    const MemoryContext old = MemoryContextSwitchTo(one);
    read_element(reader, i + 1, DatumGetHeapTupleHeader(elements[i]));
    store_product(reader);
    MemoryContextSwitchTo(old);
    MemoryContextReset(one);
  }
  if (count == 0) guard([&] { reader->faults.add({0, "", "no product was given"}); });
}

constexpr FaultReport kCsvReport = {
    ERRCODE_BAD_COPY_FILE_FORMAT, "the CSV has", "line",
    "imgpress.csv_faults(csv) lists the faults of a CSV as a table."};
constexpr FaultReport kArrayReport = {ERRCODE_INVALID_PARAMETER_VALUE, "the products have",
                                      "product", nullptr};

void return_fault(RowSink* rows, const InputFault* fault) {
  Datum values[3] = {Int32GetDatum(fault->line), (Datum)0,
                     CStringGetTextDatum(fault->message.c_str())};
  bool nulls[3] = {fault->line == 0, fault->column.empty(), false};
  if (!nulls[1]) values[1] = CStringGetTextDatum(fault->column.c_str());
  tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}

// One row for each fault; if there are too many, a last row says how many are left out.
void return_faults(const InputReader* reader, RowSink* rows) {
  for (const InputFault& fault : reader->faults.listed()) return_fault(rows, &fault);
  if (reader->faults.unlisted() == 0) return;
  auto* more = make_in<InputFault>(CurrentMemoryContext);
  guard([&] {
    more->message =
        "and " + std::to_string(reader->faults.unlisted()) + " more faults, which are not listed";
  });
  return_fault(rows, more);
}

void check_encoding(InputReader* reader, bytea* bytes) {
  guard([&] {
    const auto fault =
        find_encoding_fault({VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)}, reader->meter);
    if (fault) reader->faults.add(*fault);
  });
}

bool is_server_text(std::string_view file) {
  return GetDatabaseEncoding() == PG_UTF8 && encoding_of(file) == Encoding::kUtf8;
}

// The file as text in the encoding of the database; the same memory if nothing has to change. Else
// converts piece by piece, since PostgreSQL's own conversion allocates four times the size of a
// text. REQUIRES: the file has no encoding faults.
text* server_text(InputReader* reader, bytea* bytes) {
  const std::string_view file(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
  if (is_server_text(file) && byte_order_mark_length(file) == 0) return bytes;
  const bool wide = encoding_of(file) != Encoding::kUtf8;
  auto* pieces = make_in<Utf8Pieces>(CurrentMemoryContext, file);
  StringInfoData out;
  initStringInfo(&out);
  enlargeStringInfo(&out, static_cast<int>(VARHDRSZ + (wide ? file.size() / 2 : file.size())));
  out.len = VARHDRSZ;
  char piece[Utf8Pieces::kMaxPieceBytes];
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    size_t size = 0;
    guard([&] { size = pieces->read(piece, reader->meter); });
    if (size == 0) break;
    char* converted = pg_any_to_server(piece, static_cast<int>(size), PG_UTF8);
    const bool same = converted == piece;
    appendBinaryStringInfo(&out, converted, static_cast<int>(same ? size : strlen(converted)));
    if (!same) pfree(converted);
  }
  SET_VARSIZE(out.data, out.len);
  return reinterpret_cast<text*>(out.data);
}

// Reads a UTF-8 file in place if the database is in UTF-8, too.
void read_csv_bytes(InputReader* reader, bytea* bytes) {
  const std::string_view file(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
  if (is_server_text(file)) return read_csv(reader, file.data(), file.size());
  read_csv_text(reader, server_text(reader, bytes));
}

// Tells the user which columns of the CSV are not used.
void note_ignored_columns(const std::vector<std::string>& columns) {
  if (columns.empty()) return;
  StringInfoData list;
  initStringInfo(&list);
  const std::size_t shown = Min(columns.size(), kMaxColumnsInNotice);
  for (std::size_t i = 0; i < shown; ++i) {
    appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", columns[i].c_str());
  }
  if (columns.size() > shown) appendStringInfo(&list, " and %zu more", columns.size() - shown);
  ereport(NOTICE, (errmsg_plural("%zu column of the CSV is not used: %s",
                                 "%zu columns of the CSV are not used: %s", columns.size(),
                                 columns.size(), list.data)));
}

// A CSV of which only the header is read.
const CsvInput* read_header(text* csv) {
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  guard([&] {
    const std::string_view all(VARDATA_ANY(csv), VARSIZE_ANY_EXHDR(csv));
    reader->csv.emplace(all, reader->meter, reader->faults);
  });
  return &*reader->csv;
}

// Prepares for returning rows.
void expect_rows(InputReader* reader, RowSink* rows) {
  const HashKey key = random_hash_key();
  reader->rows = rows;
  reader->row_context =
      AllocSetContextCreate(CurrentMemoryContext, "imgpress row", ALLOCSET_DEFAULT_SIZES);
  guard([&] { reader->images.emplace(key); });
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_read_products);
PG_FUNCTION_INFO_V1(imgpress_csv_faults);
PG_FUNCTION_INFO_V1(imgpress_csv_faults_of_bytes);
PG_FUNCTION_INFO_V1(imgpress_csv_text);
PG_FUNCTION_INFO_V1(imgpress_ignored_columns);
PG_FUNCTION_INFO_V1(imgpress_csv_headings);
}

Datum imgpress_read_products(PG_FUNCTION_ARGS) {
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  expect_rows(reader, open_rows(fcinfo));
  const bool from_csv = !PG_ARGISNULL(0);
  if (from_csv) {
    read_csv_text(reader, PG_GETARG_TEXT_PP(0));
  } else if (!PG_ARGISNULL(1)) {
    read_products(reader, PG_GETARG_ARRAYTYPE_P(1));
  }
  raise_faults(&reader->faults, from_csv ? kCsvReport : kArrayReport);
  if (from_csv) note_ignored_columns(reader->csv->ignored_columns());
  return (Datum)0;
}

Datum imgpress_csv_faults(PG_FUNCTION_ARGS) {
  RowSink* rows = open_rows(fcinfo);
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  read_csv_text(reader, PG_GETARG_TEXT_PP(0));
  return_faults(reader, rows);
  return (Datum)0;
}

Datum imgpress_csv_faults_of_bytes(PG_FUNCTION_ARGS) {
  RowSink* rows = open_rows(fcinfo);
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  bytea* bytes = PG_GETARG_BYTEA_PP(0);
  check_encoding(reader, bytes);
  if (reader->faults.empty()) read_csv_bytes(reader, bytes);
  return_faults(reader, rows);
  return (Datum)0;
}

Datum imgpress_csv_text(PG_FUNCTION_ARGS) {
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  bytea* bytes = PG_GETARG_BYTEA_PP(0);
  check_encoding(reader, bytes);
  raise_faults(&reader->faults, kCsvReport);
  PG_RETURN_TEXT_P(server_text(reader, bytes));
}

Datum imgpress_ignored_columns(PG_FUNCTION_ARGS) {
  PG_RETURN_DATUM(text_array(read_header(PG_GETARG_TEXT_PP(0))->ignored_columns()));
}

Datum imgpress_csv_headings(PG_FUNCTION_ARGS) {
  PG_RETURN_DATUM(text_array(read_header(PG_GETARG_TEXT_PP(0))->headings()));
}
