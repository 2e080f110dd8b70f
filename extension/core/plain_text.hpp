// Words that come from a press (and perhaps from a hostile origin) before they go into SQL or a
// log.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

// Printable ASCII only, at most 500 bytes: valid in every database encoding and harmless in a
// terminal. Anything else becomes '?'.
std::string plain_text(std::string_view words);

}  // namespace imgpress
