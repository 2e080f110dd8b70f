// Words that come from a press (and perhaps from a hostile origin) before they go into SQL or a
// log.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

// Printable ASCII only, at most 500 bytes: valid in every database encoding and harmless in a
// terminal. Anything else becomes '?'.
std::string plain_text(std::string_view words);

// UTF-8 text of the user's in quotes, shortened to about 60 bytes at a character boundary.
std::string quote_shortened(std::string_view text);

}  // namespace imgpress
