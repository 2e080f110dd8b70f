// unknown_name(): the message about an unknown name, for names that only SQL knows.
#include <string>
#include <vector>

#include "core/text/nearest_name.hpp"

#include "backend/bridge/boundary.hpp"

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_unknown_name);
}

Datum imgpress_unknown_name(PG_FUNCTION_ARGS) {
  const char* kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(1));
  Datum* known = nullptr;
  int count = 0;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &known, nullptr,
                    &count);
  auto* texts = static_cast<const char**>(palloc(sizeof(char*) * Max(count, 1)));
  for (int i = 0; i < count; ++i) texts[i] = TextDatumGetCString(known[i]);
  auto* message = make_in<std::string>(CurrentMemoryContext);
  guard([&] { *message = unknown_name(kind, name, {texts, texts + count}); });
  PG_RETURN_TEXT_P(cstring_to_text_with_len(message->data(), static_cast<int>(message->size())));
}
