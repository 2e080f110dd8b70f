// read_input() and csv_faults(): what a submission holds, or everything that is wrong with it.
#include <optional>
#include <string>
#include <vector>

#include "core/csv_layout.hpp"
#include "core/product.hpp"

#include "backend/boundary.hpp"
#include "backend/csv_source.hpp"
#include "backend/entry_points.hpp"
#include "backend/row_sink.hpp"

extern "C" {
#include "executor/executor.h"
#include "lib/stringinfo.h"
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
  bool header_seen = false;
  std::vector<InputFault> faults;
  std::optional<Product> product;  // the one just read
  int product_count = 0;
  int image_count = 0;
  std::string joined_urls;
  CsvFields fields;
  RowSink* rows = nullptr;  // nullptr: only the faults are asked for

  void read_record(int line, char** values, int count);
  void read_header(int line);
  void add(int line, const ProductCells& cells) {
    product = read_product(line, cells, faults);
    if (product) ++product_count;
  }
};

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
  if (cells) add(line, *cells);
}

// Stores the images of the product that was read last, one row each.
void store_product(InputReader* reader) {
  if (!reader->product || reader->rows == nullptr || !reader->faults.empty()) return;
  const Product& product = *reader->product;
  Datum values[6];
  bool nulls[6] = {};
  values[0] = Int32GetDatum(reader->product_count);
  values[1] = Int32GetDatum(product.serial_number);
  values[2] = PointerGetDatum(
      cstring_to_text_with_len(product.name.data(), static_cast<int>(product.name.size())));
  for (std::size_t i = 0; i < product.urls.size(); ++i) {
    const std::string& url = product.urls[i];
    values[3] = Int32GetDatum(++reader->image_count);
    values[4] = Int32GetDatum(static_cast<int32>(i) + 1);
    values[5] = PointerGetDatum(cstring_to_text_with_len(url.data(), static_cast<int>(url.size())));
    tuplestore_putvalues(reader->rows->store, reader->rows->descriptor, values, nulls);
    pfree(DatumGetPointer(values[5]));
  }
  pfree(DatumGetPointer(values[2]));
}

void take_csv_record(void* arg, int line, char** values, int count) {
  auto* reader = static_cast<InputReader*>(arg);
  guard([&] { reader->read_record(line, values, count); });
  store_product(reader);
}

void read_csv_text(InputReader* reader, text* csv) {
  size_t size = VARSIZE_ANY_EXHDR(csv);
  const char* bytes = skip_byte_order_mark(VARDATA_ANY(csv), &size);
  guard([&] {
    const std::string_view all(bytes, size);
    const std::size_t begin = all.find_first_not_of("\r\n");
    const std::string_view rest = begin == std::string_view::npos ? "" : all.substr(begin);
    reader->delimiter = detect_delimiter(rest.substr(0, rest.find_first_of("\r\n")));
  });
  int line = 0;
  const char* wrong = read_csv(bytes, size, reader->delimiter, take_csv_record, reader, &line);
  guard([&] {
    if (wrong != nullptr) {
      reader->faults.push_back({line, "", std::string("not readable as CSV: ") + wrong});
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

// The text of an SQL array ('{...}') becomes a plain list; anything else is one already.
char* plain_url_list(char* urls) {
  if (urls[0] != '{') return urls;
  Oid input = InvalidOid;
  Oid io_param = InvalidOid;
  getTypeInputInfo(TEXTARRAYOID, &input, &io_param);
  ArrayType* array = DatumGetArrayTypeP(OidInputFunctionCall(input, urls, io_param, -1));
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
  StringInfoData list;
  initStringInfo(&list);
  for (int i = 0; i < count; ++i) {
    if (i > 0) appendStringInfoChar(&list, ',');
    if (!nulls[i]) appendStringInfoString(&list, TextDatumGetCString(elements[i]));
  }
  return list.data;
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
    const char* serial_text = no_serial ? "" : psprintf("%d", DatumGetInt32(serial));
    const char* name = text_field(tuple, 2);
    const char* urls = plain_url_list(text_field(tuple, 3));
    guard([&] { reader->add(i + 1, {serial_text, name, urls, ','}); });
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
  ereport(
      ERROR,
      (errcode(from_csv ? ERRCODE_BAD_COPY_FILE_FORMAT : ERRCODE_INVALID_PARAMETER_VALUE),
       errmsg("%s %zu %s; nothing was stored", from_csv ? "the CSV has" : "the products have",
              count, count == 1 ? "fault" : "faults"),
       errdetail("%s", describe_faults(reader, from_csv ? "line" : "product")),
       from_csv ? errhint("imgpress.csv_faults(csv) lists the faults of a CSV as a table.") : 0));
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

Datum imgpress_read_input(PG_FUNCTION_ARGS) {
  auto* reader = make_in<InputReader>(CurrentMemoryContext);
  reader->rows = open_rows(fcinfo);
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
  for (const InputFault& fault : reader->faults) {
    Datum values[3] = {Int32GetDatum(fault.line), (Datum)0,
                       CStringGetTextDatum(fault.message.c_str())};
    bool nulls[3] = {false, fault.column.empty(), false};
    if (!nulls[1]) values[1] = CStringGetTextDatum(fault.column.c_str());
    tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
  }
  return (Datum)0;
}
