#include "press/jpeg/read/ac_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace imgpress::press {
namespace {

// Writes bits as a scan without byte stuffing holds them.
class BitWriter {
 public:
  void put(std::uint32_t bits, unsigned count) {
    for (unsigned i = count; i-- > 0; ++written_) {
      if (written_ % 8 == 0) bytes_.push_back(0);
      bytes_.back() =
          static_cast<std::uint8_t>(bytes_.back() | (bits >> i & 1) << (7 - written_ % 8));
    }
  }

  std::size_t written() const { return written_; }

  // With as much behind the end as readers may look at.
  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> padded = bytes_;
    padded.resize(padded.size() + 64);
    return padded;
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t written_ = 0;
};

// Symbols of all kinds: ends of blocks, runs of zeros, levels of every size that a file may have.
constexpr std::array<std::uint8_t, 16> kSymbols = {0x00, 0x01, 0x02, 0xF0, 0x03, 0x11, 0x04, 0x05,
                                                   0x06, 0x07, 0x08, 0x09, 0x0A, 0x57, 0x28, 0xF1};

// One code of each length from 1 to 16 bits: as many ones as the symbol's index says, and a zero.
// `first`: the symbol with the shortest code.
HuffmanCode code_from(std::size_t first) {
  HuffmanCode code;
  for (std::size_t i = 0; i < kSymbols.size(); ++i) {
    code.lengths[i + 1] = 1;
    code.symbols[i] = kSymbols[(first + i) % kSymbols.size()];
  }
  return code;
}

struct CodedBlock {
  Block block;
  bool is_wide = false;  // a level has more than seven bits beside its sign
  unsigned dc_bits = 0;  // that come first
};

class Coder {
 public:
  explicit Coder(const HuffmanCode& code) : code_(code) {}

  void put_symbol(std::uint8_t symbol, std::uint32_t value_bits) {
    const auto place =
        static_cast<unsigned>(std::find(code_.symbols.begin(), code_.symbols.begin() + 16, symbol) -
                              code_.symbols.begin());
    bits.put((1U << (place + 1)) - 2, place + 1);
    bits.put(value_bits, symbol % 16);
  }

  // Symbols at random, until the block is full or its end is coded.
  CodedBlock put_block(std::mt19937& random) {
    CodedBlock coded;
    clear(coded.block);
    coded.dc_bits = static_cast<unsigned>(random() % (kMaxCodeBits + kMaxDcBits + 1));
    bits.put(static_cast<std::uint32_t>(random()) & ((1U << coded.dc_bits) - 1), coded.dc_bits);
    for (unsigned at = 0; at < kBlockSize - 1;) {
      const std::uint8_t symbol = kSymbols[random() % kSymbols.size()];
      if (symbol == kEndOfBlock) {
        put_symbol(symbol, 0);
        break;
      }
      if (at + symbol / 16 + 1 >= kBlockSize) continue;
      at += symbol / 16 + 1;
      const unsigned size = symbol % 16;
      const auto number = static_cast<std::uint32_t>(random()) & ((1U << size) - 1);
      put_symbol(symbol, number);
      if (size == 0) continue;
      const bool is_negative = number >> (size - 1) == 0;
      const int level = static_cast<int>(number) - (is_negative ? (1 << size) - 1 : 0);
      coded.block.at[at] = static_cast<std::int16_t>(level);
      coded.is_wide = coded.is_wide || size > 7;
    }
    return coded;
  }

  BitWriter bits;

 private:
  HuffmanCode code_;
};

// Each symbol has a code of each length in turn.
TEST(AcDecoder, ReadsEverySymbolWithCodesOfAllLengths) {
  std::mt19937 random(3);
  for (std::size_t first = 0; first < kSymbols.size(); ++first) {
    Coder coder(code_from(first));
    std::vector<CodedBlock> blocks;
    for (int i = 0; i < 2000; ++i) blocks.push_back(coder.put_block(random));
    const std::optional<AcDecoder> decoder = AcDecoder::make(code_from(first));
    ASSERT_TRUE(decoder);
    const std::vector<std::uint8_t> bytes = coder.bits.bytes();
    BitReader in(bytes.data());
    AcDecoder::Scratch scratch;
    for (const CodedBlock& expected : blocks) {
      clear(scratch.levels);
      scratch.is_wide = false;
      in.fill();
      in.consume(expected.dc_bits);
      ASSERT_TRUE(decoder->read(in, scratch));
      ASSERT_TRUE(
          std::equal(expected.block.at + 1, expected.block.at + kBlockSize, scratch.levels + 1));
      ASSERT_EQ(scratch.is_wide, expected.is_wide);
    }
    EXPECT_EQ(in.left(bytes.data()), -static_cast<std::ptrdiff_t>(coder.bits.written()));
  }
}

bool refuses(const AcDecoder& decoder, const Coder& coder) {
  const std::vector<std::uint8_t> bytes = coder.bits.bytes();
  BitReader in(bytes.data());
  AcDecoder::Scratch scratch;
  clear(scratch.levels);
  in.fill();
  return !decoder.read(in, scratch);
}

// A code of all ones is reserved, and what follows it must not be taken for levels.
TEST(AcDecoder, RefusesBitsThatAreNoCode) {
  for (std::size_t first = 0; first < kSymbols.size(); ++first) {
    const std::optional<AcDecoder> decoder = AcDecoder::make(code_from(first));
    ASSERT_TRUE(decoder);
    for (unsigned levels = 0; levels < 63; ++levels) {  // before it
      Coder coder(code_from(first));
      for (unsigned i = 0; i < levels; ++i) coder.put_symbol(0x01, i % 2);
      coder.bits.put(0xFFFF, 16);
      EXPECT_TRUE(refuses(*decoder, coder)) << levels;
    }
  }
}

// Levels behind the end of the block, by one and by as much as one symbol can.
TEST(AcDecoder, RefusesLevelsBeyondTheBlock) {
  for (std::size_t first = 0; first < kSymbols.size(); ++first) {
    const std::optional<AcDecoder> decoder = AcDecoder::make(code_from(first));
    ASSERT_TRUE(decoder);
    for (unsigned levels = 48; levels < 63; ++levels) {
      Coder coder(code_from(first));
      for (unsigned i = 0; i < levels; ++i) coder.put_symbol(0x01, i % 2);
      coder.put_symbol(0xF1, 1);
      EXPECT_TRUE(refuses(*decoder, coder)) << levels;
    }
  }
}

}  // namespace
}  // namespace imgpress::press
