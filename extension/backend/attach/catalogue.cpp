#include "backend/attach/catalogue.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

namespace imgpress {
namespace {

// The row of an attachment in one of the tables whose primary key is its id, newest committed
// version: an older snapshot of the transaction may not have it, although the trigger is there.
struct Record {
  HeapTuple tuple;  // nullptr: there is none
  TupleDesc descriptor;
  Oid table;

  Datum get(const char* column) const {
    bool is_null = false;
    return heap_getattr(tuple, column_number(table, column), descriptor, &is_null);
  }
};

Record read_record(const char* name, const char* primary_key, const pg_uuid_t* attachment) {
  Relation table = table_open(internal_table(name), AccessShareLock);
  Record record{nullptr, CreateTupleDescCopy(RelationGetDescr(table)), RelationGetRelid(table)};
  Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
  ScanKeyData key;
  ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(attachment));
  SysScanDesc scan =
      systable_beginscan(table, internal_table(primary_key), true, snapshot, 1, &key);
  HeapTuple found = systable_getnext(scan);
  if (HeapTupleIsValid(found)) record.tuple = heap_copytuple(found);
  systable_endscan(scan);
  UnregisterSnapshot(snapshot);
  table_close(table, AccessShareLock);
  return record;
}

bool is_in(Relation table, Oid attached) {
  if (RelationGetRelid(table) == attached) return true;
  return table->rd_rel->relispartition &&
         list_member_oid(get_partition_ancestors(RelationGetRelid(table)), attached);
}

[[noreturn]] void refuse(const char* problem, Relation table, const char* trigger) {
  const char* name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
                                                RelationGetRelationName(table));
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
           errmsg("trigger \"%s\" of table %s %s", trigger, name, problem),
           errhint("Only imgpress.attach() creates such triggers. Remove this one: DROP TRIGGER %s "
                   "ON %s",
                   quote_identifier(trigger), name)));
  pg_unreachable();
}

// The names of the key columns in the attached table.
List* names_by_number(Datum numbers, Oid attached) {
  ArrayType* array = DatumGetArrayTypeP(numbers);
  const auto* elements = reinterpret_cast<int16*>(ARR_DATA_PTR(array));
  List* names = NIL;
  for (int i = 0; i < ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)); i++) {
    char* name = get_attname(attached, elements[i], true);
    if (name == nullptr) return NIL;
    names = lappend(names, name);
  }
  return names;
}

List* names_as_stored(Datum names) {
  ArrayType* array = DatumGetArrayTypeP(names);
  const auto* elements = reinterpret_cast<NameData*>(ARR_DATA_PTR(array));
  List* list = NIL;
  for (int i = 0; i < ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)); i++) {
    list = lappend(list, pstrdup(NameStr(elements[i])));
  }
  return list;
}

}  // namespace

Oid internal_table(const char* name) {
  const Oid table = get_relname_relid(name, get_namespace_oid("imgpress_internal", false));
  if (!OidIsValid(table)) elog(ERROR, "imgpress_internal.%s is missing", name);
  return table;
}

AttrNumber column_number(Oid table, const char* name) {
  const AttrNumber number = get_attnum(table, name);
  if (number <= 0) elog(ERROR, "imgpress: column \"%s\" is missing", name);
  return number;
}

KeyColumns key_columns(const pg_uuid_t* attachment, Relation table, const char* trigger) {
  const Record stored = read_record("attachments", "attachments_pkey", attachment);
  if (stored.tuple == nullptr) refuse("names an attachment that does not exist", table, trigger);
  const Oid attached = DatumGetObjectId(stored.get("relation"));
  if (!is_in(table, attached)) refuse("names an attachment of another table", table, trigger);
  const Record anchors = read_record("attachment_anchors", "attachment_anchors_pkey", attachment);
  List* names = anchors.tuple != nullptr && DatumGetObjectId(anchors.get("relation")) == attached
                    ? names_by_number(anchors.get("key_attnums"), attached)
                    : names_as_stored(stored.get("key_columns"));
  KeyColumns columns{};
  ListCell* cell;
  foreach (cell, names) {
    const AttrNumber number = get_attnum(RelationGetRelid(table), static_cast<char*>(lfirst(cell)));
    if (number <= 0 || columns.count == INDEX_MAX_KEYS) {
      refuse("names an attachment whose key column is gone", table, trigger);
    }
    columns.numbers[columns.count++] = number;
  }
  if (columns.count == 0) refuse("names an attachment whose key column is gone", table, trigger);
  return columns;
}

}  // namespace imgpress
