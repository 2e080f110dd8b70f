// A view of bytes that somebody else owns, like C++20's std::span<const std::uint8_t>.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgpress {

struct ByteView {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
};

}  // namespace imgpress
