// submit_query(): submits what a query returns. The query's text runs as it is, with the rights and
// the search_path of whoever calls. check_query(): whether it can be submitted.
#include "backend/bridge/plain_output.hpp"
#include "backend/bridge/postgres_api.hpp"
#include "backend/input/keyed_request.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "parser/parse_relation.h"
#include "tcop/cmdtag.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/portal.h"
#include "utils/syscache.h"
}

namespace imgpress {
namespace {

// A column as text.
struct Column {
  int number = 0;  // from 1
  Oid output = InvalidOid;
  bool is_padded = false;  // char(n)
};

struct Columns {
  Column key;
  Column name;  // number 0: there is none
  Column urls;
  UrlForm form;
};

Column column_of(TupleDesc descriptor, int number) {
  const Oid type = TupleDescAttr(descriptor, number - 1)->atttypid;
  Column column;
  bool is_varlena = false;
  getTypeOutputInfo(type, &column.output, &is_varlena);
  column.number = number;
  column.is_padded = getBaseType(type) == BPCHAROID;
  return column;
}

bool is_text(Oid type) {
  char category = '\0';
  bool is_preferred = false;
  get_type_category_preferred(type, &category, &is_preferred);
  return category == TYPCATEGORY_STRING;
}

UrlForm form_of(const FormData_pg_attribute* column) {
  const Oid type = getBaseType(column->atttypid);
  if (type == JSONBOID || type == JSONOID) return UrlForm::kJson;
  const Oid element = get_element_type(type);
  if (!is_text(OidIsValid(element) ? getBaseType(element) : type)) {
    ereport(
        ERROR,
        (errcode(ERRCODE_DATATYPE_MISMATCH),
         errmsg("the last column of the query, \"%s\", is of type %s: it must hold the image URLs",
                NameStr(column->attname), format_type_be(column->atttypid)),
         errhint("Let it be text (one URL or a list), text[] or jsonb.")));
  }
  return UrlForm::kList;
}

Columns columns_of(TupleDesc descriptor) {
  const int count = descriptor->natts;
  if (count < 2) {
    ereport(ERROR,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("the query returns one column; submit_query() needs two or three"),
             errhint("The first column is the key of a product, the last one its image URLs; "
                     "one between them is its name.")));
  }
  Columns columns{column_of(descriptor, 1),
                  {},
                  column_of(descriptor, count),
                  form_of(TupleDescAttr(descriptor, count - 1))};
  if (count > 2) columns.name = column_of(descriptor, 2);
  return columns;
}

// Tells the user about columns between the name and the URLs.
void note_unused_columns(TupleDesc descriptor) {
  const int unused = descriptor->natts - 3;
  if (unused <= 0) return;
  StringInfoData list;
  initStringInfo(&list);
  for (int i = 2; i < descriptor->natts - 1; ++i) {
    appendStringInfo(&list, "%s\"%s\"", i > 2 ? ", " : "",
                     NameStr(TupleDescAttr(descriptor, i)->attname));
  }
  ereport(NOTICE, (errmsg_plural("%d column of the query is not used: %s",
                                 "%d columns of the query are not used: %s",
                                 static_cast<unsigned long>(unused), unused, list.data)));
}

// The name of the key's type, which any session understands.
const char* key_type_of(TupleDesc descriptor) {
  const Oid type = TupleDescAttr(descriptor, 0)->atttypid;
  const HeapTuple row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for type %u", type);
  const bool is_built_in =
      reinterpret_cast<Form_pg_type>(GETSTRUCT(row))->typnamespace == PG_CATALOG_NAMESPACE ||
      OidIsValid(get_element_type(type));
  ReleaseSysCache(row);
  return is_built_in ? format_type_be(type)
                     : format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY);
}

// nullptr for NULL, and for no column.
const char* text_of(HeapTuple row, TupleDesc descriptor, const Column& column) {
  if (column.number == 0) return nullptr;
  bool is_null = false;
  const Datum value = SPI_getbinval(row, descriptor, column.number, &is_null);
  if (is_null) return nullptr;
  char* text = OidOutputFunctionCall(column.output, value);
  for (size_t end = column.is_padded ? strlen(text) : 0; end > 0 && text[end - 1] == ' '; --end) {
    text[end - 1] = '\0';
  }
  return text;
}

struct QueryRow {
  HeapTuple tuple;
  TupleDesc descriptor;
  const Columns* columns;
  KeyedTexts product;
};

void print_row(void* arg) {
  auto* row = static_cast<QueryRow*>(arg);
  row->product = {text_of(row->tuple, row->descriptor, row->columns->key),
                  text_of(row->tuple, row->descriptor, row->columns->name),
                  text_of(row->tuple, row->descriptor, row->columns->urls), row->columns->form};
}

void add_row(KeyedRequest* request, HeapTuple tuple, TupleDesc descriptor, const Columns& columns) {
  QueryRow row{tuple, descriptor, &columns, {}};
  with_plain_output(print_row, &row);
  add_product(request, row.product);
}

// One by one, because a row may be large.
void add_all_rows(KeyedRequest* request, Portal portal, const Columns& columns) {
  const MemoryContext row_context =
      AllocSetContextCreate(CurrentMemoryContext, "imgpress row", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    SPI_cursor_fetch(portal, true, 1);
    if (SPI_processed == 0) break;
    SPITupleTable* rows = SPI_tuptable;
    const MemoryContext caller = MemoryContextSwitchTo(row_context);
    add_row(request, rows->vals[0], rows->tupdesc, columns);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(row_context);
    SPI_freetuptable(rows);
  }
}

const char* query_of(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("query is NULL")));
  }
  return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

[[noreturn]] void refuse(const char* what, const char* hint) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("submit_query() takes one query that returns rows, not %s", what),
                  errhint("%s", hint)));
  pg_unreachable();
}

// The plan of the text; an error unless it is one statement that returns rows.
SPIPlanPtr prepare(const char* query) {
  SPIPlanPtr plan = SPI_prepare_cursor(query, 0, nullptr, CURSOR_OPT_NO_SCROLL);
  if (plan == nullptr) {
    elog(ERROR, "imgpress: cannot prepare the query: %s", SPI_result_code_string(SPI_result));
  }
  const List* statements = SPI_plan_get_plan_sources(plan);
  constexpr const char* kExample = "For example: SELECT sku, title, photos FROM products";
  if (list_length(statements) == 0) refuse("an empty text", kExample);
  if (list_length(statements) > 1) {
    refuse(psprintf("%d statements", list_length(statements)),
           "Run the others before it, or make them part of it with WITH.");
  }
  if (!SPI_is_cursor_plan(plan)) {
    const CommandTag tag = static_cast<CachedPlanSource*>(linitial(statements))->commandTag;
    const bool may_return = tag == CMDTAG_INSERT || tag == CMDTAG_UPDATE || tag == CMDTAG_DELETE;
    refuse(tag == CMDTAG_SELECT ? "SELECT INTO" : GetCommandTagName(tag),
           may_return ? "Add RETURNING with the columns." : kExample);
  }
  return plan;
}

// What only this session has would be missing where the query runs later.
void refuse_what_is_of_this_session(SPIPlanPtr plan) {
  const auto* source = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
  const bool is_temporary = isQueryUsingTempRelation(linitial_node(Query, source->query_list));
  const bool is_named = source->commandTag == CMDTAG_EXECUTE || source->commandTag == CMDTAG_FETCH;
  if (!is_temporary && !is_named) return;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("the query uses %s of this session, which a job does not see",
                         is_temporary                           ? "a temporary table"
                         : source->commandTag == CMDTAG_EXECUTE ? "a prepared statement"
                                                                : "a cursor")));
}

// A relation that the session finds may not be on this path.
void describe_check(void*) {
  errcontext("check of the query with the search_path of a new session: %s", namespace_search_path);
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_submit_query);
PG_FUNCTION_INFO_V1(imgpress_check_query);
}

Datum imgpress_check_query(PG_FUNCTION_ARGS) {
  ErrorContextCallback context{error_context_stack, describe_check, nullptr};
  error_context_stack = &context;
  SPI_connect();
  SPIPlanPtr plan = prepare(query_of(fcinfo));
  refuse_what_is_of_this_session(plan);
  // Opened, it has passed the check of rights, too; but it does not run before a row is fetched.
  Portal portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
  columns_of(portal->tupDesc);
  note_unused_columns(portal->tupDesc);
  SPI_cursor_close(portal);
  SPI_finish();
  error_context_stack = context.previous;
  PG_RETURN_VOID();
}

Datum imgpress_submit_query(PG_FUNCTION_ARGS) {
  const char* query = query_of(fcinfo);
  auto* id = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  SPI_connect();
  SPIPlanPtr plan = prepare(query);
  if (KeyedRequest* request = open_request(fcinfo, id)) {
    Portal portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
    PinPortal(portal);  // the query must not close it
    const Columns columns = columns_of(portal->tupDesc);
    add_all_rows(request, portal, columns);
    note_unused_columns(portal->tupDesc);
    const char* key_type = key_type_of(portal->tupDesc);
    UnpinPortal(portal);
    SPI_cursor_close(portal);
    seal_request(request, key_type);
  }
  SPI_finish();
  PG_RETURN_UUID_P(id);
}
