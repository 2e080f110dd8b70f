// Checks the head of a request and rewrites it in a form that the HTTP library can read.
//
// The library closes the connection if the request line is too long, refuses unknown methods, skips
// lines without CR, and accepts neither a whole URL as target nor a malformed Range.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace imgpress::gateway {

struct RequestHead {
  std::string method;  // GET, HEAD, POST, or PATCH for all others, which are not served
  std::string target;  // path and query as sent
  std::string text;    // the head for the library, also if the request is refused
  int refusal = 0;     // 400, 414 or 431
};

// True if take_head() can be called: the head is complete, or too long already. The first `seen`
// bytes were checked by an earlier call.
bool head_is_complete(std::string_view input, std::size_t seen = 0);

// Takes the head from the beginning of the input, or all of the input if the head is refused: it is
// then unknown where the next request begins. REQUIRES: head_is_complete(input)
RequestHead take_head(std::string& input);

}  // namespace imgpress::gateway
