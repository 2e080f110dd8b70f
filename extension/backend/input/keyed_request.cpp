#include "backend/input/keyed_request.hpp"

#include <string>
#include <vector>

#include "core/input/image_numbers.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/sql_values.hpp"
#include "backend/input/fault_report.hpp"
#include "backend/input/input_values.hpp"
#include "backend/input/owner_call.hpp"

extern "C" {
#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
}

namespace imgpress {
namespace {

constexpr std::size_t kProductsInPortion = 10'000;
constexpr std::size_t kBytesInPortion = 8 << 20;

constexpr FaultReport kReport = {ERRCODE_INVALID_PARAMETER_VALUE, "the products have", "product",
                                 nullptr};

// Products that have not been stored yet, as the columns of their rows and those of their images.
struct Portion {
  int first_no = 1;
  std::size_t bytes = 0;
  std::vector<std::string> keys;
  std::vector<std::string> names;
  std::vector<std::string> image_nos;  // "{1,2}"
  std::vector<int32> new_nos;
  std::vector<int32> new_products;
  std::vector<std::string> new_urls;
};

}  // namespace

struct KeyedRequest {
  KeyedRequest(const pg_uuid_t& request_id, const HashKey& key)
      : id(request_id), images(key), keys(key) {}

  void add(Product product);
  bool is_full() const {
    return portion.keys.size() >= kProductsInPortion || portion.bytes >= kBytesInPortion;
  }

  pg_uuid_t id;
  WorkMeter meter{check_interrupts};
  InputFaults faults;
  ImageNumbers images;
  FirstOccurrences keys;
  Portion portion;
  int product_count = 0;
  int image_count = 0;
  int last_image_no = 0;
  std::size_t repetitions = 0;  // of keys
  std::string repeated_key;     // the first one
};

void KeyedRequest::add(Product product) {
  images.number(product.urls, meter);
  std::string numbers = "{";
  for (const int32 number : images.image_nos()) {
    if (numbers.size() > 1) numbers += ',';
    numbers += std::to_string(number);
  }
  portion.image_nos.push_back(std::move(numbers += '}'));
  portion.bytes += portion.image_nos.back().size() + product.key.size() + product.name.size();
  for (const std::size_t index : images.new_images()) {
    last_image_no = images.image_nos()[index];
    ++image_count;
    portion.bytes += product.urls[index].size() + sizeof(std::string);
    portion.new_nos.push_back(last_image_no);
    portion.new_products.push_back(product_count);
    portion.new_urls.push_back(std::move(product.urls[index]));
  }
  if (keys.find_or_insert(product.key, product_count) != 0 && ++repetitions == 1) {
    repeated_key = product.key;
  }
  portion.keys.push_back(std::move(product.key));
  portion.names.push_back(std::move(product.name));
}

namespace {

Datum int_array(const std::vector<int32>& numbers) {
  ArrayArgument array(INT4OID, static_cast<int>(numbers.size()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    array.set(static_cast<int>(i), Int32GetDatum(numbers[i]));
  }
  return array.datum();
}

void store_portion(KeyedRequest* request) {
  const MemoryContext own =
      AllocSetContextCreate(CurrentMemoryContext, "imgpress portion", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext caller = MemoryContextSwitchTo(own);
  const Portion& portion = request->portion;
  const Argument arguments[] = {
      {UUIDOID, UUIDPGetDatum(&request->id)},          {INT4OID, Int32GetDatum(portion.first_no)},
      {TEXTARRAYOID, text_array(portion.keys)},        {TEXTARRAYOID, text_array(portion.names)},
      {TEXTARRAYOID, text_array(portion.image_nos)},   {INT4ARRAYOID, int_array(portion.new_nos)},
      {INT4ARRAYOID, int_array(portion.new_products)}, {TEXTARRAYOID, text_array(portion.new_urls)},
  };
  call_as_owner("store_products", arguments, lengthof(arguments));
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(own);
  guard([&] {
    request->portion = {};
    request->portion.first_no = request->product_count + 1;
  });
}

// The further options, and those that are arguments of their own, for example
// {"refresh": "always", "quality": 50}.
Datum options_json(FunctionCallInfo fcinfo, int quality, int effort, int others) {
  StringInfoData json;
  initStringInfo(&json);
  appendStringInfoChar(&json, '{');
  if (!PG_ARGISNULL(quality)) appendStringInfo(&json, "\"quality\": %d", PG_GETARG_INT32(quality));
  if (!PG_ARGISNULL(effort)) {
    appendStringInfo(&json, "%s\"effort\": ", json.len > 1 ? ", " : "");
    escape_json(&json, text_to_cstring(PG_GETARG_TEXT_PP(effort)));
  }
  appendStringInfoChar(&json, '}');
  const Datum own = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
  if (PG_ARGISNULL(others)) return own;
  if (!JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(others))) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("options must be a JSON object like {\"accept_truncated\": true}")));
  }
  return DirectFunctionCall2(jsonb_concat, PG_GETARG_DATUM(others), own);
}

Argument forward(FunctionCallInfo fcinfo, int number, Oid type) {
  return {type, PG_GETARG_DATUM(number), PG_ARGISNULL(number)};
}

void note_repeated_keys(const KeyedRequest* request) {
  if (request->repetitions == 0) return;
  ereport(NOTICE,
          (errmsg("%zu %s a key that an earlier one has; the first such key is \"%s\"",
                  request->repetitions, request->repetitions == 1 ? "product has" : "products have",
                  request->repeated_key.c_str()),
           errhint("Each is a product of its own. To get one product with all images, group the "
                   "rows by the key and collect the URLs with array_agg().")));
}

}  // namespace

KeyedRequest* open_request(FunctionCallInfo fcinfo, pg_uuid_t* id) {
  enum { kWebhookUrl = 1, kQuality, kRequestId, kEffort, kPriority, kOptions };
  const Datum given = PG_ARGISNULL(kRequestId)
                          ? DirectFunctionCall1(gen_random_uuid, static_cast<Datum>(0))
                          : PG_GETARG_DATUM(kRequestId);
  *id = *DatumGetUUIDP(given);
  const Argument arguments[] = {
      {UUIDOID, given},
      forward(fcinfo, kWebhookUrl, TEXTOID),
      {JSONBOID, options_json(fcinfo, kQuality, kEffort, kOptions)},
      forward(fcinfo, kPriority, INT4OID),
  };
  if (!DatumGetBool(call_as_owner("open_request", arguments, lengthof(arguments)))) return nullptr;
  const HashKey key = random_hash_key();
  return make_in<KeyedRequest>(CurrentMemoryContext, *id, key);
}

void add_product(KeyedRequest* request, const KeyedTexts& product) {
  bool is_full = false;
  guard([&] {
    KeyedCells cells;
    if (product.key != nullptr) cells.key = product.key;
    cells.name = product.name == nullptr ? "" : product.name;
    cells.urls = product.urls == nullptr ? "" : product.urls;
    cells.form = product.urls == nullptr ? UrlForm::kList : product.form;
    const int number = ++request->product_count;
    auto read = read_keyed_product(number, cells, request->meter, request->faults);
    // After a fault nothing will be stored; the other products are only read to find all faults.
    if (read && request->faults.empty()) request->add(std::move(*read));
    is_full = request->is_full();
  });
  if (is_full) store_portion(request);
}

void add_fault(KeyedRequest* request, const char* key, const char* message) {
  guard([&] {
    std::optional<std::string_view> known;
    if (key != nullptr) known = key;
    add_fault(++request->product_count, known, message, request->faults);
  });
}

void seal_request(KeyedRequest* request, const char* key_type) {
  raise_faults(&request->faults, kReport);
  if (request->product_count == 0) {
    ereport(ERROR,
            (errcode(ERRCODE_NO_DATA_FOUND), errmsg("no product was given; nothing was stored")));
  }
  if (!request->portion.keys.empty()) store_portion(request);
  note_repeated_keys(request);
  const Argument arguments[] = {
      {UUIDOID, UUIDPGetDatum(&request->id)},
      {INT4OID, Int32GetDatum(request->product_count)},
      {INT4OID, Int32GetDatum(request->image_count)},
      {INT4OID, Int32GetDatum(request->last_image_no)},
      {TEXTOID, CStringGetTextDatum(key_type)},
  };
  call_as_owner("seal_request", arguments, lengthof(arguments));
}

}  // namespace imgpress
