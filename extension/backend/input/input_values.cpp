#include "backend/input/input_values.hpp"

#include "backend/bridge/sql_values.hpp"

namespace imgpress {

Datum text_datum(const std::string& text) {
  return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

Datum text_array(const std::vector<std::string>& texts) {
  ArrayArgument array(TEXTOID, static_cast<int>(texts.size()));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    array.set(static_cast<int>(i), text_datum(texts[i]));
  }
  return array.datum();
}

HashKey random_hash_key() {
  HashKey key;
  if (!pg_strong_random(&key, sizeof(key))) elog(ERROR, "no random numbers are available");
  return key;
}

}  // namespace imgpress
