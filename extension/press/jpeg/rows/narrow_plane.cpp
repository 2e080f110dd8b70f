#include "press/jpeg/rows/narrow_plane.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace imgpress::press {
namespace {

IMGPRESS_CPU_TARGETS
void widen(const NarrowBlock* blocks, const std::int16_t* dc, std::size_t count, Block* to) {
  for (std::size_t b = 0; b < count; ++b) {
    const auto* bytes = reinterpret_cast<const SixteenBytes*>(blocks[b].at);
    auto* levels = reinterpret_cast<Sixteen*>(to[b].at);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kBlockSize / 16; ++i) {
      levels[i] = __builtin_convertvector(bytes[i], Sixteen);
    }
    to[b].at[0] = dc[b];
  }
}

// Whether an AC level does not fit into a byte.
IMGPRESS_INLINE bool is_wide(const Block& block) {
  const auto* levels = reinterpret_cast<const Sixteen*>(block.at);
  Sixteen ac = levels[0];
  ac[0] = 0;
  Sixteen beyond = (ac + 128) & ~255;
#pragma GCC unroll 3
  for (std::size_t i = 1; i < kBlockSize / 16; ++i) beyond |= (levels[i] + 128) & ~255;
  std::int64_t parts[sizeof beyond / sizeof(std::int64_t)];
  std::memcpy(parts, &beyond, sizeof parts);
  return (parts[0] | parts[1] | parts[2] | parts[3]) != 0;
}

// The kernel takes a while for each page that is touched first, whatever its size.
void prefer_huge_pages(void* memory, std::size_t bytes) {
  constexpr std::size_t kHugePage = 2 << 20;
  if (std::align(kHugePage, kHugePage, memory, bytes) == nullptr) return;
  ::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
}

// No more than a whole row takes, so that wide levels cost no more memory than they must.
template <typename Item>
void make_room(std::vector<Item>& row, std::size_t most) {
  if (row.size() < row.capacity()) return;
  row.reserve(std::min(most, std::max<std::size_t>(4, 2 * row.size())));
}

}  // namespace

NarrowPlane::NarrowPlane(std::uint32_t width, std::uint32_t height)
    : BlockRows(width),
      blocks_(new NarrowBlock[std::size_t{width} * height]),
      dc_(new std::int16_t[std::size_t{width} * height]),
      upper_(height) {
  prefer_huge_pages(blocks_.get(), std::size_t{width} * height * sizeof(NarrowBlock));
}

void NarrowPlane::set_upper_bytes(std::uint32_t x, std::uint32_t y,
                                  const std::int16_t* levels) noexcept {
  if (lacks_memory_) return;
  std::vector<UpperBytes>& row = upper_[y];
  try {
    make_room(row, width());
  } catch (const std::bad_alloc&) {
    lacks_memory_ = true;
    return;
  }
  row.emplace_back();
  row.back().x = x;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    row.back().at[i] = static_cast<std::int8_t>(levels[i] >> 8);
  }
}

IMGPRESS_CPU_TARGETS
void NarrowPlane::set_row(std::uint32_t y, const Block* blocks) {
  for (std::uint32_t x = 0; x < width(); ++x) set(x, y, blocks[x].at, is_wide(blocks[x]));
}

void NarrowPlane::check_memory() const {
  if (lacks_memory_) throw std::bad_alloc();
}

void NarrowPlane::add_upper_bytes(const UpperBytes& upper, Block& block) {
  for (std::size_t i = 1; i < kBlockSize; ++i) {
    block.at[i] = static_cast<std::int16_t>(upper.at[i] * 256 + (block.at[i] & 0xFF));
  }
}

void NarrowPlane::read(std::uint32_t y, Block* to) {
  const std::size_t first = std::size_t{y} * width();
  widen(blocks_.get() + first, dc_.get() + first, width(), to);
  for (const UpperBytes& upper : upper_[y]) add_upper_bytes(upper, to[upper.x]);
}

void NarrowPlane::read(std::uint32_t y, const BlockRequantiser& requantiser, Block* to) {
  const std::size_t first = std::size_t{y} * width();
  requantiser.apply(blocks_.get() + first, dc_.get() + first, width(), to);
  for (const UpperBytes& upper : upper_[y]) {
    Block& block = to[upper.x];
    widen(blocks_.get() + first + upper.x, dc_.get() + first + upper.x, 1, &block);
    add_upper_bytes(upper, block);
    requantiser.apply(&block, 1);
  }
}

}  // namespace imgpress::press
