// The head of a request, checked and put into the one form that the HTTP library knows.
//
// The library closes the connection over a long request line, refuses methods it has not heard of,
// skips lines without CR, and takes neither a whole URL as target nor a Range that it cannot read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace imgpress::gateway {

struct RequestHead {
  std::string method;  // GET, HEAD, POST, or PATCH for everything else, which nothing here serves
  std::string target;  // path and query as sent
  std::string text;    // the head for the library, also where it is refused
  int refusal = 0;     // 400, 414 or 431
};

// True when a head can be taken: it has come to its end, or is too long already. The first seen
// bytes were asked about before.
bool head_is_complete(std::string_view input, std::size_t seen = 0);

// Takes the head from the beginning of the input; all of it where the head is refused, since nobody
// knows where the next begins. REQUIRES: head_is_complete(input)
RequestHead take_head(std::string& input);

}  // namespace imgpress::gateway
