#include "core/text/keyed_hash.hpp"

namespace imgpress {
namespace {

std::uint64_t rotate(std::uint64_t word, int bits) {
  return (word << bits) | (word >> (64 - bits));
}

// Up to eight bytes as a little-endian number.
std::uint64_t load(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return word;
}

class SipState {
 public:
  explicit SipState(const HashKey& key)
      : v0_(key.low ^ 0x736f6d6570736575),
        v1_(key.high ^ 0x646f72616e646f6d ^ 0xee),  // 0xee selects the 128-bit result
        v2_(key.low ^ 0x6c7967656e657261),
        v3_(key.high ^ 0x7465646279746573) {}

  void absorb(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }

  KeyedHash finish() {
    v2_ ^= 0xee;
    KeyedHash hash;
    hash.low = squeeze();
    v1_ ^= 0xdd;
    hash.high = squeeze();
    return hash;
  }

 private:
  void round() {
    v0_ += v1_;
    v1_ = rotate(v1_, 13) ^ v0_;
    v0_ = rotate(v0_, 32);
    v2_ += v3_;
    v3_ = rotate(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = rotate(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = rotate(v1_, 17) ^ v2_;
    v2_ = rotate(v2_, 32);
  }

  std::uint64_t squeeze() {
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

KeyedHash keyed_hash(const HashKey& key, std::string_view text) {
  SipState state(key);
  const char* bytes = text.data();
  std::size_t left = text.size();
  for (; left >= 8; bytes += 8, left -= 8) state.absorb(load(bytes, 8));
  state.absorb(load(bytes, left) | static_cast<std::uint64_t>(text.size()) << 56);
  return state.finish();
}

}  // namespace imgpress
