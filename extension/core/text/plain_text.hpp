// Words that come from a press (and perhaps from a hostile origin) before they go into SQL or a
// log.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

// Printable ASCII only, at most 500 bytes: valid in every database encoding and harmless in a
// terminal. Anything else becomes '?'.
std::string plain_text(std::string_view words);

// The front of UTF-8 text, at most so many bytes and no half character.
std::string_view cut_at_character(std::string_view text, std::size_t most_bytes);

// UTF-8 text of the user's in quotes, shortened to about 60 bytes at a character boundary.
std::string quote_shortened(std::string_view text);

}  // namespace imgpress
