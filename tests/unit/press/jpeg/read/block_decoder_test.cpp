#include "press/jpeg/read/block_decoder.hpp"

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

using Symbols = std::vector<std::uint8_t>;

// AC symbols of all kinds: ends of blocks, runs of zeros, levels of every size that a file may
// have.
const Symbols kAcSymbols = {0x00, 0x01, 0x02, 0xF0, 0x03, 0x11, 0x04, 0x05,
                            0x06, 0x07, 0x08, 0x09, 0x0A, 0x57, 0x28, 0xF1};
const Symbols kDcSymbols = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

// One code of each length from 1 bit on: as many ones as the symbol's index says, and a zero.
// `first`: the index of the symbol with the shortest code, modulo their number.
HuffmanCode code_of(const Symbols& symbols, std::size_t first) {
  HuffmanCode code;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    code.lengths[i + 1] = 1;
    code.symbols[i] = symbols[(first + i) % symbols.size()];
  }
  return code;
}

struct CodedBlock {
  Block block;
  bool is_wide = false;  // an AC level has more than seven bits beside its sign
};

class Coder {
 public:
  explicit Coder(std::size_t first)
      : dc_code_(code_of(kDcSymbols, first)), ac_code_(code_of(kAcSymbols, first)) {}

  std::optional<BlockDecoder> decoder(bool is_paired) const {
    std::optional<BlockDecoder> made = BlockDecoder::make(dc_code_, ac_code_);
    if (made && is_paired) made->pair_dc_with_ac();
    return made;
  }

  void put_dc(std::uint8_t symbol, std::uint32_t number) { put(dc_code_, symbol, number); }
  void put_ac(std::uint8_t symbol, std::uint32_t number) { put(ac_code_, symbol, number); }

  // Symbols at random, until the block is full or its end is coded.
  CodedBlock put_block(std::mt19937& random) {
    CodedBlock coded;
    clear(coded.block);
    const std::uint8_t dc = kDcSymbols[random() % kDcSymbols.size()];
    coded.block.at[0] = put_level(dc_code_, dc, random);
    for (unsigned at = 0; at < kBlockSize - 1;) {
      const std::uint8_t symbol = kAcSymbols[random() % kAcSymbols.size()];
      if (symbol == kEndOfBlock) {
        put_ac(symbol, 0);
        break;
      }
      if (at + symbol / 16 + 1 >= kBlockSize) continue;
      at += symbol / 16 + 1;
      coded.block.at[at] = put_level(ac_code_, symbol, random);
      coded.is_wide = coded.is_wide || symbol % 16 > 7;
    }
    return coded;
  }

  BitWriter bits;

 private:
  void put(const HuffmanCode& code, std::uint8_t symbol, std::uint32_t number) {
    const auto place = static_cast<unsigned>(
        std::find(code.symbols.begin(), code.symbols.end(), symbol) - code.symbols.begin());
    bits.put((1U << (place + 1)) - 2, place + 1);
    bits.put(number, symbol % 16);
  }

  std::int16_t put_level(const HuffmanCode& code, std::uint8_t symbol, std::mt19937& random) {
    const unsigned size = symbol % 16;
    const auto number = static_cast<std::uint32_t>(random()) & ((1U << size) - 1);
    put(code, symbol, number);
    const bool is_negative = size > 0 && number >> (size - 1) == 0;
    return static_cast<std::int16_t>(static_cast<int>(number) -
                                     (is_negative ? (1 << size) - 1 : 0));
  }

  HuffmanCode dc_code_;
  HuffmanCode ac_code_;
};

// Each symbol has a code of each length in turn.
TEST(BlockDecoder, ReadsEverySymbolWithCodesOfAllLengths) {
  std::mt19937 random(3);
  for (std::size_t first = 0; first < kAcSymbols.size(); ++first) {
    Coder coder(first);
    std::vector<CodedBlock> blocks;
    for (int i = 0; i < 2000; ++i) blocks.push_back(coder.put_block(random));
    const std::vector<std::uint8_t> bytes = coder.bits.bytes();
    for (const bool is_paired : {false, true}) {
      const std::optional<BlockDecoder> decoder = coder.decoder(is_paired);
      ASSERT_TRUE(decoder);
      BitReader in(bytes.data());
      BlockDecoder::Scratch scratch;
      for (const CodedBlock& expected : blocks) {
        clear(scratch.levels);
        scratch.is_wide = false;
        ASSERT_TRUE(decoder->read(in, scratch));
        ASSERT_TRUE(std::equal(expected.block.at, expected.block.at + kBlockSize, scratch.levels));
        ASSERT_EQ(scratch.is_wide, expected.is_wide);
      }
      EXPECT_EQ(in.left(bytes.data()), -static_cast<std::ptrdiff_t>(coder.bits.written()));
    }
  }
}

// Paired or not.
bool refuses(const Coder& coder) {
  const std::vector<std::uint8_t> bytes = coder.bits.bytes();
  for (const bool is_paired : {false, true}) {
    const std::optional<BlockDecoder> decoder = coder.decoder(is_paired);
    BitReader in(bytes.data());
    BlockDecoder::Scratch scratch;
    clear(scratch.levels);
    if (!decoder || decoder->read(in, scratch)) return false;
  }
  return true;
}

// A code of all ones is reserved, and what follows it must not be taken for levels.
TEST(BlockDecoder, RefusesBitsThatAreNoCode) {
  for (std::size_t first = 0; first < kAcSymbols.size(); ++first) {
    Coder no_dc(first);
    no_dc.bits.put(0xFFFF, 16);
    EXPECT_TRUE(refuses(no_dc));
    for (unsigned levels = 0; levels < 63; ++levels) {  // before it
      Coder coder(first);
      coder.put_dc(0, 0);
      for (unsigned i = 0; i < levels; ++i) coder.put_ac(0x01, i % 2);
      coder.bits.put(0xFFFF, 16);
      EXPECT_TRUE(refuses(coder)) << levels;
    }
  }
}

// Levels behind the end of the block, by one and by as much as one symbol can.
TEST(BlockDecoder, RefusesLevelsBeyondTheBlock) {
  for (std::size_t first = 0; first < kAcSymbols.size(); ++first) {
    for (unsigned levels = 48; levels < 63; ++levels) {
      Coder coder(first);
      coder.put_dc(0, 0);
      for (unsigned i = 0; i < levels; ++i) coder.put_ac(0x01, i % 2);
      coder.put_ac(0xF1, 1);
      EXPECT_TRUE(refuses(coder)) << levels;
    }
  }
}

}  // namespace
}  // namespace imgpress::press
