// read_input() and csv_faults(): what a submission holds, or everything that is wrong with it.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/csv_encoding.hpp"
#include "core/csv_layout.hpp"
#include "core/first_places.hpp"
#include "core/product.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/functions/csv_source.hpp"
#include "backend/bridge/entry_points.hpp"
#include "backend/bridge/row_sink.hpp"

extern "C" {
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
}

namespace imgpress {
namespace {

constexpr std::size_t kMaxFaultsInError = 20;
constexpr std::size_t kMaxFaultsKept = 10000;

// Gathers products and faults while the source is read. Lives in a memory context, since reading
// may ereport.
struct InputReader {
  std::optional<CsvLayout> layout;
  char delimiter = ',';
  int line_offset = 0;  // lines in front of what COPY reads
  bool header_seen = false;
  std::vector<InputFault> faults;
  std::optional<Product> product;  // the one just read
  int product_count = 0;
  int image_count = 0;
  std::string joined_urls;
  CsvFields fields;
  RowSink* rows = nullptr;                  // nullptr: only the faults are asked for
  std::optional<FirstPlaces> first_places;  // of the URLs; there when rows are asked for
  std::vector<int32> copies_of;  // for each URL of the product: where it stands first, or 0

  void read_record(int line, char** values, int count);
  void read_header(int line);
  void take(std::optional<Product> read);
};

void InputReader::take(std::optional<Product> read) {
  product = std::move(read);
  if (!product) return;
  ++product_count;
  if (!first_places) return;
  copies_of.clear();
  int32 position = image_count;
  for (const std::string& url : product->urls) {
    copies_of.push_back(first_places->find_or_note(url, ++position));
  }
}

bool is_blank_record(const CsvFields& fields) {
  for (const std::string_view field : fields) {
    if (field.find_first_not_of(" \t\r\n") != std::string_view::npos) return false;
  }
  return true;
}

void InputReader::read_header(int line) {
  header_seen = true;
  layout = CsvLayout::from_header(line, fields, delimiter, faults);
}

void InputReader::read_record(int line, char** values, int count) {
  product.reset();
  fields.clear();
  for (int i = 0; i < count; ++i) {
    fields.push_back(values[i] == nullptr ? std::string_view() : std::string_view(values[i]));
  }
  if (is_blank_record(fields)) return;
  if (!header_seen) return read_header(line);
  if (!layout || faults.size() >= kMaxFaultsKept) return;
  const auto cells = layout->cells_of(line, fields, joined_urls, faults);
  if (cells) take(read_product(line, *cells, faults));
}

// Stores the images of the product that was read last, one row each.
void store_product(InputReader* reader) {
  if (!reader->product || reader->rows == nullptr || !reader->faults.empty()) return;
  const Product& product = *reader->product;
  Datum values[7];
  bool nulls[7] = {};
  values[0] = Int32GetDatum(reader->product_count);
  values[1] = Int64GetDatum(product.serial_number);
  values[2] = PointerGetDatum(
      cstring_to_text_with_len(product.name.data(), static_cast<int>(product.name.size())));
  for (std::size_t i = 0; i < product.urls.size(); ++i) {
    const std::string& url = product.urls[i];
    values[3] = Int32GetDatum(++reader->image_count);
    values[4] = Int32GetDatum(static_cast<int32>(i) + 1);
    values[5] = PointerGetDatum(cstring_to_text_with_len(url.data(), static_cast<int>(url.size())));
    values[6] = Int32GetDatum(reader->copies_of[i]);
    nulls[6] = reader->copies_of[i] == 0;
    tuplestore_putvalues(reader->rows->store, reader->rows->descriptor, values, nulls);
    pfree(DatumGetPointer(values[5]));
  }
  pfree(DatumGetPointer(values[2]));
}

void take_csv_record(void* arg, int line, char** values, int count) {
  auto* reader = static_cast<InputReader*>(arg);
  guard([&] { reader->read_record(line + reader->line_offset, values, count); });
  store_product(reader);
}

void read_csv_text(InputReader* reader, text* csv) {
  const bool in_utf8 = GetDatabaseEncoding() == PG_UTF8;
  const char* bytes = nullptr;
  size_t size = 0;
  guard([&] {
    std::string_view all(VARDATA_ANY(csv), VARSIZE_ANY_EXHDR(csv));
    if (in_utf8) all.remove_prefix(byte_order_mark_length(all));
    const std::size_t skipped = separator_line_length(all);
    if (skipped > 0) reader->line_offset = 1;
    all.remove_prefix(skipped);
    bytes = all.data();
    size = all.size();
    all.remove_prefix(std::min(all.find_first_not_of("\r\n"), all.size()));
    reader->delimiter = detect_delimiter(all.substr(0, all.find_first_of("\r\n")));
  });
  int line = 0;
  const char* wrong = read_csv(bytes, size, reader->delimiter, take_csv_record, reader, &line);
  guard([&] {
    if (wrong != nullptr) {
      reader->faults.push_back(
          {line + reader->line_offset, "", std::string("not readable as CSV: ") + wrong});
    } else if (!reader->header_seen) {
      reader->faults.push_back({1, "", "the file is empty: it needs a header and product rows"});
    } else if (reader->layout && reader->product_count == 0 && reader->faults.empty()) {
      reader->faults.push_back({1, "", "no product row below the header"});
    }
  });
}

char* text_field(HeapTupleHeader tuple, AttrNumber number) {
  bool is_null = false;
  const Datum value = GetAttributeByNum(tuple, number, &is_null);
  return is_null ? pstrdup("") : TextDatumGetCString(value);
}

// The elements of the text of an SQL array ('{...}').
ArrayType* parse_text_array(char* text) {
  Oid input = InvalidOid;
  Oid io_param = InvalidOid;
  getTypeInputInfo(TEXTARRAYOID, &input, &io_param);
  return DatumGetArrayTypeP(OidInputFunctionCall(input, text, io_param, -1));
}

// URLs come as a list like in the CSV, or as an array, whose elements are taken as they are.
void read_element(InputReader* reader, int number, const ProductCells& cells, char* urls) {
  if (urls[0] != '{') {
    guard([&] {
      reader->take(read_product(number, {cells.serial_number, cells.name, urls}, reader->faults));
    });
    return;
  }
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(parse_text_array(urls), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
                    &count);
  auto** texts = static_cast<const char**>(palloc(sizeof(char*) * Max(count, 1)));
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    if (!nulls[i]) texts[kept++] = TextDatumGetCString(elements[i]);
  }
  guard([&] { reader->take(read_product(number, cells, {texts, texts + kept}, reader->faults)); });
}

void read_products(InputReader* reader, ArrayType* products) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(products, ARR_ELEMTYPE(products), -1, false, TYPALIGN_DOUBLE, &elements, &nulls,
                    &count);
  for (int i = 0; i < count; ++i) {
    CHECK_FOR_INTERRUPTS();
    if (nulls[i]) {
      guard([&] { reader->faults.push_back({i + 1, "", "is NULL"}); });
      continue;
    }
    HeapTupleHeader tuple = DatumGetHeapTupleHeader(elements[i]);
    bool no_serial = false;
    const Datum serial = GetAttributeByNum(tuple, 1, &no_serial);
    const char* serial_text = no_serial ? "" : psprintf(INT64_FORMAT, DatumGetInt64(serial));
    const char* name = text_field(tuple, 2);
    read_element(reader, i + 1, {serial_text, name, {}}, text_field(tuple, 3));
    store_product(reader);
  }
  if (count == 0) guard([&] { reader->faults.push_back({0, "", "no product was given"}); });
}

// "line 3, Product Name: empty", one fault a line.
char* describe_faults(const InputReader* reader, const char* unit) {
  StringInfoData text;
  initStringInfo(&text);
  const std::size_t shown = Min(reader->faults.size(), kMaxFaultsInError);
  for (std::size_t i = 0; i < shown; ++i) {
    const InputFault& fault = reader->faults[i];
    if (i > 0) appendStringInfoChar(&text, '\n');
    if (fault.line > 0) appendStringInfo(&text, "%s %d", unit, fault.line);
    if (!fault.column.empty()) appendStringInfo(&text, ", %s", fault.column.c_str());
    appendStringInfo(&text, "%s%s", text.len > 0 && fault.line > 0 ? ": " : "",
                     fault.message.c_str());
  }
  if (reader->faults.size() > shown) {
    appendStringInfo(&text, "\n... and %zu more", reader->faults.size() - shown);
  }
  return text.data;
}

void raise_faults(const InputReader* reader, bool from_csv) {
  const std::size_t count = reader->faults.size();
  if (count == 0) return;
  // The faults are the user's; the statements that led here would only bury them.
  error_context_stack = nullptr;
  ereport(
      ERROR,
      (errcode(from_csv ? ERRCODE_BAD_COPY_FILE_FORMAT : ERRCODE_INVALID_PARAMETER_VALUE),
       errmsg("%s %zu %s; nothing was stored", from_csv ? "the CSV has" : "the products have",
              count, count == 1 ? "fault" : "faults"),
       errdetail("%s", describe_faults(reader, from_csv ? "line" : "product")),
       from_csv ? errhint("imgpress.csv_faults(csv) lists the faults of a CSV as a table.") : 0));
}

void return_faults(const InputReader* reader, RowSink* rows) {
  for (const InputFault& fault : reader->faults) {
    Datum values[3] = {Int32GetDatum(fault.line), (Datum)0,
                       CStringGetTextDatum(fault.message.c_str())};
    bool nulls[3] = {false, fault.column.empty(), false};
    if (!nulls[1]) values[1] = CStringGetTextDatum(fault.column.c_str());
    tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
  }
}

void check_encoding(InputReader* reader, bytea* bytes) {
  guard([&] {
    const auto fault = find_encoding_fault({VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)});
    if (fault) reader->faults.push_back(*fault);
  });
}

// UTF-8, less a byte order mark, as text in the encoding of the database.
text* server_text(bytea* bytes) {
  size_t mark = 0;
  guard([&] { mark = byte_order_mark_length({VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)}); });
  const char* begin = VARDATA_ANY(bytes) + mark;
  const auto size = static_cast<int>(VARSIZE_ANY_EXHDR(bytes) - mark);
  const char* converted = pg_any_to_server(begin, size, PG_UTF8);
  const bool same = converted == begin;
  return cstring_to_text_with_len(converted, same ? size : static_cast<int>(strlen(converted)));
}

// Prepares for rows. The key is random, so that nobody can make two URLs pass for one.
void expect_rows(InputReader* reader, RowSink* rows) {
  HashKey key;
  if (!pg_strong_random(&key, sizeof(key))) elog(ERROR, "no random numbers are available");
  reader->rows = rows;
  guard([&] { reader->first_places.emplace(key); });
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

Datum imgpress_read_input(PG_FUNCTION_ARGS) {
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  expect_rows(reader, open_rows(fcinfo));
  const bool from_csv = !PG_ARGISNULL(0);
  if (from_csv) {
    read_csv_text(reader, PG_GETARG_TEXT_PP(0));
  } else if (!PG_ARGISNULL(1)) {
    read_products(reader, PG_GETARG_ARRAYTYPE_P(1));
  }
  raise_faults(reader, from_csv);
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
  if (reader->faults.empty()) read_csv_text(reader, server_text(bytes));
  return_faults(reader, rows);
  return (Datum)0;
}

Datum imgpress_csv_text(PG_FUNCTION_ARGS) {
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  bytea* bytes = PG_GETARG_BYTEA_PP(0);
  check_encoding(reader, bytes);
  raise_faults(reader, true);
  PG_RETURN_TEXT_P(server_text(bytes));
}
