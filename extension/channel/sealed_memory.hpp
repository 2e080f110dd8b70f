// Image bytes in a sealed memfd: two processes share the memory, and neither can change it any
// more.
//
// Without seals the writer could shrink the memory under the reader (SIGBUS) or change bytes that
// were checked already. The seals make the kernel guarantee length and content.
#pragma once

#include <cstdint>

#include "channel/unique_fd.hpp"
#include "core/text/bytes.hpp"

namespace imgpress {

// Writes a memfd of any length, then seals it. Throws std::system_error if memory runs out.
class MemoryWriter {
 public:
  explicit MemoryWriter(const char* name);
  void append(ByteView bytes);
  std::uint64_t size() const { return size_; }
  UniqueFd seal();  // the writer cannot be used afterwards

 private:
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

// A sealed memfd with a copy of `bytes`.
UniqueFd make_sealed(const char* name, ByteView bytes);

// Length in bytes, from the kernel: a length that a peer states is not trusted. Throws
// std::runtime_error unless `fd` is a memfd with all seals.
std::uint64_t sealed_size(int fd);

// Copies the first `size` bytes to `target`. Throws std::runtime_error if there are fewer.
void read_sealed(int fd, void* target, std::uint64_t size);

// A read-only mapping of a sealed memfd. Checks and throws like sealed_size().
class SealedView {
 public:
  explicit SealedView(int fd);
  ~SealedView();
  SealedView(const SealedView&) = delete;
  SealedView& operator=(const SealedView&) = delete;
  ByteView bytes() const { return bytes_; }

 private:
  ByteView bytes_;
};

}  // namespace imgpress
