// Reads bits from memory, the most significant bit of each byte first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

class BitReader {
 public:
  explicit BitReader(const std::uint8_t* begin) : next_(begin) {}

  // Makes at least kFilled bits available in upcoming(). Reads up to 8 bytes beyond them.
  IMGPRESS_INLINE void fill() {
    std::uint64_t word = 0;
    std::memcpy(&word, next_, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    upcoming_ |= word >> count_;
    next_ += (63 - count_) >> 3;
    count_ |= kFilled;
  }

  // The next bits, from the most significant bit down.
  std::uint64_t upcoming() const {
    return upcoming_;
  }

  IMGPRESS_INLINE void consume(unsigned bits) {
    upcoming_ <<= bits;
    count_ -= bits;
  }

  // Undoes the last consume(). `upcoming`: what was upcoming before.
  IMGPRESS_INLINE void take_back(std::uint64_t upcoming, unsigned bits) {
    upcoming_ = upcoming;
    count_ += bits;
  }

  // Bits that are left before `end`; negative if more were consumed than there were.
  std::ptrdiff_t left(const std::uint8_t* end) const {
    return (end - next_) * 8 + static_cast<std::ptrdiff_t>(count_);
  }

  static constexpr unsigned kFilled = 56;

 private:
  const std::uint8_t* next_;
  std::uint64_t upcoming_ = 0;
  unsigned count_ = 0;
};

}  // namespace imgpress::press
