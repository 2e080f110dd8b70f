// Text from outside, made fit for a message: what a press says (perhaps in the words of a hostile
// server), and what the user wrote.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

// The first 500 bytes, with '?' for everything but printable ASCII: valid in every database
// encoding and harmless in a terminal.
std::string plain_text(std::string_view words);

// The user's UTF-8 text in quotation marks; longer than 60 bytes, it is cut between two characters.
std::string quote_shortened(std::string_view text);

}  // namespace imgpress
