#include "press/jpeg/huffman_code.hpp"

#include <algorithm>
#include <vector>

namespace imgpress::press {
namespace {

constexpr std::size_t kMaxLength = 16;
constexpr std::size_t kMaxDepth = 64;  // a tree this deep would take more symbols than there can be

using LengthCounts = std::array<int, kMaxDepth + 1>;

// The symbols that occur, the most frequent one first.
std::vector<std::uint8_t> rank_symbols(const SymbolCounts& counts) {
  std::vector<std::uint8_t> ranked;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    if (counts[symbol] > 0) ranked.push_back(static_cast<std::uint8_t>(symbol));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&counts](std::uint8_t a, std::uint8_t b) { return counts[a] > counts[b]; });
  return ranked;
}

// Huffman's algorithm: joins the two lightest trees until one is left. Leaves are sorted by weight,
// and joined trees are made in order of weight, so the lightest is at the head of one of two
// queues.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::vector<std::uint64_t> leaves) : weights_(std::move(leaves)) {
    leaves_ = weights_.size();
    parents_.resize(2 * leaves_ - 1);
    for (joined_ = leaves_; weights_.size() < parents_.size();) {
      const std::size_t a = take_lightest();
      const std::size_t b = take_lightest();
      parents_[a] = parents_[b] = weights_.size();
      weights_.push_back(weights_[a] + weights_[b]);
    }
  }

  LengthCounts leaf_depths() const {
    LengthCounts counts{};
    std::vector<std::size_t> depth(parents_.size());
    for (std::size_t node = parents_.size() - 1; node-- > 0;) {
      depth[node] = depth[parents_[node]] + 1;
      if (node < leaves_) ++counts[std::min(depth[node], kMaxDepth)];
    }
    return counts;
  }

 private:
  std::size_t take_lightest() {
    const bool leaf =
        leaf_ < leaves_ && (joined_ == weights_.size() || weights_[leaf_] <= weights_[joined_]);
    return leaf ? leaf_++ : joined_++;
  }

  std::vector<std::uint64_t> weights_;  // leaves first, then joined trees
  std::vector<std::size_t> parents_;
  std::size_t leaves_ = 0;
  std::size_t leaf_ = 0;    // head of the queue of leaves
  std::size_t joined_ = 0;  // head of the queue of joined trees
};

// Shortens codes of more than 16 bits in pairs (ITU-T T.81, K.2): one of the pair takes the place
// of its parent, the other becomes the sibling of a shorter code, which gets one bit longer.
void bound_lengths(LengthCounts& counts) {
  for (std::size_t length = kMaxDepth; length > kMaxLength; --length) {
    while (counts[length] > 0) {
      std::size_t shorter = length - 2;
      while (counts[shorter] == 0) --shorter;
      counts[length] -= 2;
      counts[length - 1] += 1;
      counts[shorter + 1] += 2;
      counts[shorter] -= 1;
    }
  }
}

}  // namespace

HuffmanCode optimal_huffman_code(const SymbolCounts& counts) {
  const std::vector<std::uint8_t> ranked = rank_symbols(counts);
  // A pseudo-symbol of count 0 takes the reserved code of all ones.
  std::vector<std::uint64_t> leaves = {0};
  for (auto symbol = ranked.rbegin(); symbol != ranked.rend(); ++symbol) {
    leaves.push_back(counts[*symbol]);
  }
  LengthCounts lengths = TreeBuilder(std::move(leaves)).leaf_depths();
  bound_lengths(lengths);
  std::size_t longest = kMaxLength;
  while (lengths[longest] == 0) --longest;
  --lengths[longest];

  HuffmanCode code;
  for (std::size_t i = 1; i <= kMaxLength; ++i) {
    code.lengths[i] = static_cast<std::uint8_t>(lengths[i]);
  }
  std::copy(ranked.begin(), ranked.end(), code.symbols.begin());
  return code;
}

}  // namespace imgpress::press
