// Which version of an image was downloaded.
#pragma once

#include <cstdint>
#include <string>

#include "core/net/validators.hpp"

namespace imgpress {

struct SourceVersion {
  std::string digest;     // SHA-256 of its bytes
  Validators validators;  // as the origin gave them
};

// The version that the same user has downloaded last, and the output that was made of it.
struct KnownSource {
  std::int64_t blob_id = 0;  // 0: nothing is known
  SourceVersion version;
};

}  // namespace imgpress
