#include "core/text/keyed_hash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace imgpress {
namespace {

// The reference implementation's vectors: key 00 01 .. 0f, text 00 01 02 ...
constexpr HashKey kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

TEST(KeyedHash, KnownAnswers) {
  EXPECT_EQ(keyed_hash(kKey, ""), (KeyedHash{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(keyed_hash(kKey, std::string(1, '\0')),
            (KeyedHash{0x44af996bd8c187da, 0x45fc229b11597634}));
}

TEST(KeyedHash, EveryByteAndTheLengthCount) {
  std::string text(23, 'x');
  const KeyedHash whole = keyed_hash(kKey, text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = 'y';
    EXPECT_FALSE(keyed_hash(kKey, other) == whole) << i;
  }
  EXPECT_FALSE(keyed_hash(kKey, text + '\0') == whole);
  EXPECT_FALSE(keyed_hash({1, 2}, text) == whole);
}

}  // namespace
}  // namespace imgpress
