// A fuzz target: it gives bytes that nobody has chosen to one part of the program, and says what
// must hold then. A target is one IMGPRESS_FUZZ_TARGET; libFuzzer (`make fuzz`) invents inputs for
// all of them, and the unit tests replay the inputs in seeds/<target>/ and crashers/<target>/.
#pragma once

#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::fuzz {

struct Target {
  const char* name;
  void (*run)(ByteView input);
};

// All targets of this program, by name.
const std::vector<Target>& targets();

bool list(const Target& target);

// What must hold does not. To libFuzzer it is a crash, as all exceptions that leave a target are.
class Broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool condition, const char* promise) {
  if (!condition) throw Broken(promise);
}

inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}

// Takes `size` bytes, or as many as there are, from the beginning of an input.
inline ByteView take(ByteView& input, std::size_t size) {
  const ByteView head{input.data, size < input.size ? size : input.size};
  input = {input.data + head.size, input.size - head.size};
  return head;
}

inline std::uint8_t take_byte(ByteView& input) {
  const ByteView one = take(input, 1);
  return one.size == 0 ? std::uint8_t{0} : *one.data;
}

}  // namespace imgpress::fuzz

#define IMGPRESS_FUZZ_TARGET(name)                                                             \
  static void name(::imgpress::ByteView input);                                                \
  [[maybe_unused]] static const bool name##_is_listed = ::imgpress::fuzz::list({#name, name}); \
  static void name(::imgpress::ByteView input)
