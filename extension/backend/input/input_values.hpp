// Values that go from the reading of an input to SQL.
#pragma once

#include <string>
#include <vector>

#include "core/text/keyed_hash.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

Datum text_datum(const std::string& text);
Datum text_array(const std::vector<std::string>& texts);

// For hashes of URLs and keys: nobody can construct two of them with the same hash.
HashKey random_hash_key();

}  // namespace imgpress
