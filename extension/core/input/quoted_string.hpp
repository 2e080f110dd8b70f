// Strings in quotes, as arrays of databases and programs hold them.
#pragma once

#include <string>
#include <string_view>

#include "core/text/text_scan.hpp"

namespace imgpress {

enum class Escapes {
  kPlain,  // a backslash stands in front of a character that is meant as it is
  kJson,   // \n, \/, \u00e9, ...
};

// Appends what the string means whose opening mark is text[begin] to `out`. Returns the place
// behind its closing mark, npos where there is none. Characters other than printable ASCII that a
// JSON escape names come out percent-encoded, as URLs want them: so the result can hold nothing
// that the text around it could not hold.
std::size_t read_quoted_string(std::string_view text, std::size_t begin, Escapes escapes,
                               std::string& out, WorkMeter& meter);

}  // namespace imgpress
