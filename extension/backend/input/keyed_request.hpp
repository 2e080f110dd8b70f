// A request whose products have keys of the submitter's: they come one by one, and are stored in
// portions, so that memory does not grow with the number of products.
//
// Where the products come from is the caller's business, and read with the caller's rights. The
// rows of imgpress are written by SQL functions that run as imgpress_owner; nobody else may call
// them.
#pragma once

#include "core/input/product.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

struct KeyedRequest;

// Opens the request that a function submits whose arguments, from the second one on, are
// webhook_url, quality, request_id, effort, priority and options. nullptr if it has been submitted
// before; *id is its id either way. The request lives in the current memory context.
KeyedRequest* open_request(FunctionCallInfo fcinfo, pg_uuid_t* id);

// A product as text; nullptr: NULL.
struct KeyedTexts {
  const char* key;
  const char* name;
  const char* urls;
  UrlForm form;
};
void add_product(KeyedRequest* request, const KeyedTexts& product);

// A fault of the next product besides those that add_product() finds, which then counts as added.
void add_fault(KeyedRequest* request, const char* key, const char* message);

// Stores what is left; raises an error that lists the faults of all products, or says that there
// was no product. `key_type` is the data type of the keys.
void seal_request(KeyedRequest* request, const char* key_type);

}  // namespace imgpress
