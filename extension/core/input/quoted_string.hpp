// Reads the quoted strings in array literals of databases and programming languages.
#pragma once

#include <string>
#include <string_view>

#include "core/text/text_scan.hpp"

namespace imgpress {

enum class Escapes {
  kPlain,  // a backslash makes the next character literal
  kJson,   // \n, \/, \u00e9, ...
};

// Appends the value of the string whose opening quotation mark is text[begin] to `out`. Returns the
// place after its closing mark; npos if there is none. What a JSON escape writes is percent-encoded
// unless it is printable ASCII: URLs need that, and the text stays valid in any encoding.
std::size_t read_quoted_string(std::string_view text, std::size_t begin, Escapes escapes,
                               std::string& out, WorkMeter& meter);

}  // namespace imgpress
