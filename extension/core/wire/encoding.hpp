// Messages as bytes.
//
// A message is one datagram of a SOCK_SEQPACKET socketpair. Integers are little-endian. Both ends
// must have the same version of imgpress, which the message Ready tells.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/wire/messages.hpp"

namespace imgpress::wire {

constexpr std::size_t kMaxMessageBytes = std::size_t{128} * 1024;

// The message is too long, or a peer has sent bytes that are not a message.
class WireError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws WireError if the encoded message is longer than kMaxMessageBytes.
std::string encode(const Message& message);

// Throws WireError unless the bytes are exactly one well-formed message.
Message decode(std::string_view bytes);

}  // namespace imgpress::wire
