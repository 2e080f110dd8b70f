#include "access/key.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "http/errors.hpp"
#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::string_view kScheme = "Bearer";
constexpr std::string_view kPrefix = "ipk_";
constexpr std::size_t kSecretLength = 64;  // 32 bytes in hexadecimal digits

std::string sha256(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  if (::EVP_Digest(text.data(), text.size(), digest.data(), nullptr, ::EVP_sha256(), nullptr) !=
      1) {
    throw std::runtime_error("libcrypto has no SHA-256");
  }
  return {digest.begin(), digest.end()};
}

bool is_secret(std::string_view text) {
  return text.size() == kSecretLength && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// As SQL knows them: act_for_key() in sql/functions/25_keys.sql.
const char* word_of(KeyDemand demand) {
  switch (demand) {
    case KeyDemand::kAlways:
      return "always";
    case KeyDemand::kIfAny:
      return "if any";
    case KeyDemand::kNever:
      break;
  }
  return "never";
}

}  // namespace

std::optional<Key> parse_key(std::string_view text) {
  const std::size_t blank = std::min(text.find_first_of(" \t"), text.size());
  if (!equals_ignoring_case(text.substr(0, blank), kScheme)) return std::nullopt;
  text.remove_prefix(std::min(blank + 1, text.size()));
  if (text.substr(0, kPrefix.size()) != kPrefix) throw HttpError(unauthorized());
  text.remove_prefix(kPrefix.size());
  int id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const auto digits = static_cast<std::size_t>(end - text.data());
  const std::string id_text = std::to_string(id);
  const bool is_id = error == std::errc() && id > 0 && text.substr(0, digits) == id_text;
  if (!is_id || text.substr(digits, 1) != "_" || !is_secret(text.substr(digits + 1))) {
    throw HttpError(unauthorized());
  }
  return Key{id_text, sha256(text.substr(digits + 1))};
}

Caller::Caller(const httplib::Request& request, KeyDemand demand) : demand_(word_of(demand)) {
  if (demand == KeyDemand::kNever) return;
  const auto headers = request.headers.equal_range("Authorization");
  const auto count = std::distance(headers.first, headers.second);
  if (count > 1) {
    throw HttpError({kBadRequest, "the request has more than one header Authorization"});
  }
  if (count == 1) key_ = parse_key(headers.first->second);
}

Parameters Caller::with(Parameters further) const {
  Parameters all = {Parameter::null(), Parameter::null(), demand_};
  if (key_) {
    all[0] = key_->id;
    all[1] = Parameter::of_bytes(key_->secret_hash);
  }
  all.insert(all.end(), further.begin(), further.end());
  return all;
}

}  // namespace imgpress::gateway
