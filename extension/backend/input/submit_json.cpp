// submit_json(): submits products that a program has as JSON.
#include <string>

#include "core/text/nearest_name.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/input/keyed_request.hpp"

extern "C" {
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

namespace imgpress {
namespace {

// The fields of a product: as an object in any order, as an array in this one, perhaps without the
// name.
struct Fields {
  const JsonbValue* key = nullptr;
  const JsonbValue* name = nullptr;
  const JsonbValue* urls = nullptr;
};

struct Products {
  KeyedRequest* request;
  bool all_numbers = true;  // the keys
};

bool is_container(const JsonbValue* value, bool (*is_kind)(const JsonbContainer*)) {
  return value->type == jbvBinary && is_kind(value->val.binary.data);
}
bool is_array(const JsonbValue* value) {
  return is_container(value, [](const JsonbContainer* c) { return JsonContainerIsArray(c) != 0; });
}
bool is_object(const JsonbValue* value) {
  return is_container(value, [](const JsonbContainer* c) { return JsonContainerIsObject(c) != 0; });
}

bool is_text_or_number(const JsonbValue* value) {
  return value->type == jbvString || value->type == jbvNumeric;
}

// nullptr for what is missing, and for all but a text or number.
const char* text_of(const JsonbValue* value) {
  if (value == nullptr || !is_text_or_number(value)) return nullptr;
  if (value->type == jbvString) return pnstrdup(value->val.string.val, value->val.string.len);
  return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
}

const char* json_of(const JsonbValue* value) {
  Jsonb* json = JsonbValueToJsonb(const_cast<JsonbValue*>(value));
  return JsonbToCString(nullptr, &json->root, VARSIZE(json));
}

const JsonbValue* field_of(const JsonbValue* object, const char* name) {
  return getKeyJsonValueFromContainer(object->val.binary.data, name, static_cast<int>(strlen(name)),
                                      nullptr);
}

// The message about the first field that no product has; nullptr if there is none.
const char* unknown_field(const JsonbValue* object) {
  JsonbIterator* iterator = JsonbIteratorInit(object->val.binary.data);
  JsonbValue value;
  JsonbIteratorToken token;
  while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
    if (token != WJB_KEY) continue;
    const char* name = pnstrdup(value.val.string.val, value.val.string.len);
    if (strcmp(name, "key") == 0 || strcmp(name, "name") == 0 || strcmp(name, "urls") == 0)
      continue;
    auto* message = make_in<std::string>(CurrentMemoryContext);
    guard([&] { *message = unknown_name("field", name, {"key", "name", "urls"}); });
    return message->c_str();
  }
  return nullptr;
}

Fields fields_of_array(const JsonbValue* array) {
  JsonbContainer* container = array->val.binary.data;
  const uint32 size = JsonContainerSize(container);
  Fields fields;
  fields.key = getIthJsonbValueFromContainer(container, 0);
  fields.urls = getIthJsonbValueFromContainer(container, size - 1);
  if (size == 3) fields.name = getIthJsonbValueFromContainer(container, 1);
  return fields;
}

bool is_missing_or(const JsonbValue* value, bool (*fits)(const JsonbValue*)) {
  return value == nullptr || value->type == jbvNull || fits(value);
}

const char* fault_of(const JsonbValue* element, const Fields& fields) {
  if (is_object(element)) {
    if (const char* unknown = unknown_field(element)) return unknown;
  }
  if (!is_missing_or(fields.key, is_text_or_number))
    return "the key is neither a text nor a number";
  if (!is_missing_or(fields.name, is_text_or_number)) {
    return "the name is neither a text nor a number";
  }
  return nullptr;
}

void add_element(Products* products, const JsonbValue* element) {
  Fields fields;
  if (is_object(element)) {
    fields = {field_of(element, "key"), field_of(element, "name"), field_of(element, "urls")};
  } else if (is_array(element) && (JsonContainerSize(element->val.binary.data) == 2 ||
                                   JsonContainerSize(element->val.binary.data) == 3)) {
    fields = fields_of_array(element);
  } else {
    return add_fault(products->request, nullptr,
                     "neither an object with key, name and urls, nor an array [key, urls] or "
                     "[key, name, urls]");
  }
  const char* key = text_of(fields.key);
  if (const char* fault = fault_of(element, fields))
    return add_fault(products->request, key, fault);
  if (key != nullptr && fields.key->type != jbvNumeric) products->all_numbers = false;
  KeyedTexts product = {key, text_of(fields.name), nullptr, UrlForm::kList};
  if (fields.urls != nullptr && fields.urls->type == jbvString) {
    product.urls = text_of(fields.urls);
  } else if (fields.urls != nullptr) {
    product.urls = json_of(fields.urls);
    product.form = UrlForm::kJson;
  }
  add_product(products->request, product);
}

void add_elements(Products* products, Jsonb* array) {
  const MemoryContext one =
      AllocSetContextCreate(CurrentMemoryContext, "imgpress product", ALLOCSET_DEFAULT_SIZES);
  const uint32 count = JB_ROOT_COUNT(array);
  for (uint32 i = 0; i < count; ++i) {
    CHECK_FOR_INTERRUPTS();
    const MemoryContext caller = MemoryContextSwitchTo(one);
    add_element(products, getIthJsonbValueFromContainer(&array->root, i));
    MemoryContextSwitchTo(caller);
    MemoryContextReset(one);
  }
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_submit_json);
}

Datum imgpress_submit_json(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("products is NULL")));
  }
  Jsonb* array = PG_GETARG_JSONB_P(0);
  if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array)) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("products must be a JSON array"),
             errhint("For example: [{\"key\": \"SKU-1\", \"urls\": [\"http://...\"]}]")));
  }
  auto* id = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  Products products = {open_request(fcinfo, id), true};
  if (products.request != nullptr) {
    add_elements(&products, array);
    seal_request(products.request, products.all_numbers ? "numeric" : "text");
  }
  PG_RETURN_UUID_P(id);
}
