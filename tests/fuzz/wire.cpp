// What a press sends that somebody else controls.
#include "core/net/denial.hpp"
#include "core/wire/encoding.hpp"
#include "target.hpp"

namespace imgpress::fuzz {

IMGPRESS_FUZZ_TARGET(wire) {
  const std::string_view bytes = text_of(input);
  wire::Message message;
  try {
    message = wire::decode(bytes);
  } catch (const wire::WireError&) {
    return;
  }
  require(wire::encode(message) == bytes, "a message has one form only");
  if (const auto* reply = std::get_if<wire::FetchReply>(&message)) denied_address(reply->message);
}

}  // namespace imgpress::fuzz
