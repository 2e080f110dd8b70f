// Addresses, lists of networks, and what the address guard says of them.
#include <stdexcept>

#include "core/net/address.hpp"
#include "core/net/denial.hpp"
#include "core/net/retry_after.hpp"
#include "target.hpp"

namespace imgpress::fuzz {
namespace {

IpAddress take_address(ByteView& input) {
  IpAddress address;
  address.is_v6 = take_byte(input) % 2 == 1;
  const ByteView bytes = take(input, address.is_v6 ? 16 : 4);
  std::copy(bytes.data, bytes.data + bytes.size, address.bytes.begin());
  return address;
}

}  // namespace

IMGPRESS_FUZZ_TARGET(networks) {
  const IpAddress address = take_address(input);
  const auto again = IpAddress::parse(address.to_string());
  require(again && *again == address, "an address reads as it was written");
  const std::string_view list = text_of(input);
  try {
    const AddressPolicy policy(list);
    const bool listed = policy.lists(address);
    require(!listed || !policy.objection(address, 8080), "a network on the list is allowed");
    require(listed || policy.objection(address, 8080).has_value(), "another one has no odd port");
    require(listed || policy.objection(address, 443) == AddressPolicy().objection(address, 443),
            "the list says nothing of others");
    hint_about_denied(address, std::string(list));
  } catch (const std::invalid_argument&) {
  }
  const std::string denial = describe_denial("a.example", address.to_string() + " is private");
  require(denied_address(denial) == address, "a denial names its address");
  denied_address(list);
}

IMGPRESS_FUZZ_TARGET(retry_after) {
  constexpr std::time_t kNow = 1'795'748'000;
  require(retry_after_seconds(text_of(input), kNow) <= kMaxRetryAfterSeconds, "no longer pause");
}

}  // namespace imgpress::fuzz
