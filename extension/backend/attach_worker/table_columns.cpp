#include "backend/attach_worker/table_columns.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace imgpress {
namespace {

const char* name_of(Datum name) {
  return NameStr(*DatumGetName(name));
}

TableColumn find_column(Oid relation, const char* name) {
  const AttrNumber number = get_attnum(relation, name);
  if (number == InvalidAttrNumber) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("the attached table has no column \"%s\" any more", name)));
  }
  TableColumn column{pstrdup(quote_identifier(name)), InvalidOid, -1};
  Oid collation = InvalidOid;
  get_atttypetypmodcoll(relation, number, &column.type, &column.modifier, &collation);
  return column;
}

TableColumn find_named(Oid relation, const Row& job, const char* field) {
  bool is_null = false;
  const Datum name = job.get(field, &is_null);
  if (is_null) return {nullptr, InvalidOid, -1};
  return find_column(relation, name_of(name));
}

struct NamedOperator {
  const char* text;  // OPERATOR(schema.=)
  const char* schema;
};

NamedOperator named_operator(Oid oid) {
  const HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(oid));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "a key column has a type without order");
  const auto* form = reinterpret_cast<const FormData_pg_operator*>(GETSTRUCT(tuple));
  const char* schema = quote_identifier(get_namespace_name(form->oprnamespace));
  const char* text = psprintf("OPERATOR(%s.%s)", schema, NameStr(form->oprname));
  ReleaseSysCache(tuple);
  return {text, schema};
}

KeyColumnOf key_column(Oid relation, const char* name) {
  KeyColumnOf key{};
  static_cast<TableColumn&>(key) = find_column(relation, name);
  key.array_type = get_array_type(key.type);
  const TypeCacheEntry* type = lookup_type_cache(key.type, TYPECACHE_EQ_OPR | TYPECACHE_GT_OPR);
  key.equals = named_operator(type->eq_opr).text;
  const NamedOperator greater = named_operator(type->gt_opr);
  key.greater = greater.text;
  key.operator_schema = greater.schema;
  return key;
}

}  // namespace

TableColumns* table_columns(const Row& job) {
  auto* table = static_cast<TableColumns*>(palloc0(sizeof(TableColumns)));
  const Oid relation = DatumGetObjectId(job.get("relation"));
  const char* schema = get_namespace_name(get_rel_namespace(relation));
  const char* name = get_rel_name(relation);
  if (schema == nullptr || name == nullptr) elog(ERROR, "the attached table is gone");
  // A child that inherits from the table is none of its rows.
  table->table =
      psprintf("%s%s", get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
               quote_qualified_identifier(schema, name));
  const Elements keys = array_elements(job, "key_columns");
  if (keys.count < 1 || keys.count > INDEX_MAX_KEYS) elog(ERROR, "an attachment without a key");
  table->key_count = keys.count;
  for (int i = 0; i < keys.count; ++i) {
    table->keys[i] = key_column(relation, name_of(keys.values[i]));
  }
  table->url = find_named(relation, job, "url_column");
  table->output = find_named(relation, job, "output_column");
  table->error = find_named(relation, job, "error_column");
  table->output_shape = job.get_text("output_shape");
  return table;
}

Datum* key_parts(const TableColumns& table, const char* key) {
  if (table.key_count == 1) {
    auto* only = static_cast<Datum*>(palloc(sizeof(Datum)));
    *only = CStringGetTextDatum(key);
    return only;
  }
  const Datum array = OidInputFunctionCall(F_ARRAY_IN, const_cast<char*>(key), TEXTOID, -1);
  Datum* parts = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &parts, &nulls,
                    &count);
  if (count != table.key_count) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("the key %s does not have %d parts", key, table.key_count)));
  }
  return parts;
}

Datum key_value(const KeyColumnOf& column, Datum part) {
  Oid input = InvalidOid;
  Oid parameter = InvalidOid;
  getTypeInputInfo(column.type, &input, &parameter);
  return OidInputFunctionCall(input, TextDatumGetCString(part), parameter, column.modifier);
}

void key_arrays(const TableColumns& table, const NullableElements& keys, const int* chosen,
                int count, Oid* types, Datum* values) {
  auto** parts = static_cast<Datum**>(palloc(sizeof(Datum*) * Max(count, 1)));
  for (int i = 0; i < count; ++i) {
    const Datum key = keys.values[chosen != nullptr ? chosen[i] : i];
    parts[i] = key_parts(table, TextDatumGetCString(key));
  }
  for (int k = 0; k < table.key_count; ++k) {
    const KeyColumnOf& column = table.keys[k];
    const bool typed = OidIsValid(column.array_type);
    ArrayArgument array(typed ? column.type : TEXTOID, count);
    for (int i = 0; i < count; ++i) {
      CHECK_FOR_INTERRUPTS();
      array.set(i, typed ? key_value(column, parts[i][k]) : parts[i][k]);
    }
    types[k] = typed ? column.array_type : TEXTARRAYOID;
    values[k] = array.datum();
  }
}

void append_rows_from(StringInfo sql, const TableColumns& table, int more) {
  appendStringInfoString(sql, "ROWS FROM (");
  for (int i = 0; i < table.key_count + more; ++i) {
    appendStringInfo(sql, "%spg_catalog.unnest($%d)", i > 0 ? ", " : "", i + 1);
  }
  appendStringInfoString(sql, ") WITH ORDINALITY");
}

void append_key_names(StringInfo sql, const TableColumns& table) {
  for (int i = 0; i < table.key_count; ++i) {
    appendStringInfo(sql, "%sk%d", i > 0 ? ", " : "(", i + 1);
  }
}

void append_key_condition(StringInfo sql, const TableColumns& table) {
  for (int i = 0; i < table.key_count; ++i) {
    const KeyColumnOf& key = table.keys[i];
    appendStringInfo(sql, "%st.%s %s ", i > 0 ? " AND " : "", key.name, key.equals);
    if (OidIsValid(key.array_type)) {
      appendStringInfo(sql, "k.k%d", i + 1);
    } else {
      appendStringInfo(sql, "(k.k%d::%s)", i + 1,
                       format_type_extended(key.type, -1, FORMAT_TYPE_FORCE_QUALIFY));
    }
  }
}

SPIPlanPtr prepare_with_index(const char* sql, int count, Oid* types) {
  const int level = NewGUCNestLevel();
  const char* const others[] = {"enable_seqscan",   "enable_bitmapscan", "enable_hashjoin",
                                "enable_mergejoin", "enable_sort",       "jit"};
  for (const char* method : others) {
    set_config_option(method, "off", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  }
  SPIPlanPtr plan = SPI_prepare_cursor(sql, count, types, CURSOR_OPT_GENERIC_PLAN);
  if (plan == nullptr) {
    elog(ERROR, "cannot prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
  }
  CachedPlan* made = SPI_plan_get_cached_plan(plan);
  if (made != nullptr) ReleaseCachedPlan(made, nullptr);
  AtEOXact_GUC(true, level);
  return plan;
}

}  // namespace imgpress
