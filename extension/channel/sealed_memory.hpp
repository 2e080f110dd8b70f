// Image bytes in memory that two processes can share and neither can change any more.
//
// A memfd that its writer could still shrink would kill the reader with SIGBUS; after
// F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE and F_SEAL_SEAL the kernel guarantees length and
// content.
#pragma once

#include <cstdint>

#include "channel/unique_fd.hpp"
#include "core/text/bytes.hpp"

namespace imgpress {

// Grows while it is written; seal() ends that. Throws std::system_error when memory runs out.
class MemoryWriter {
 public:
  explicit MemoryWriter(const char* name);
  void append(ByteView bytes);
  std::uint64_t size() const { return size_; }
  UniqueFd seal();  // the writer is spent afterwards

 private:
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

// One sealed memfd with a copy of `bytes`.
UniqueFd make_sealed(const char* name, ByteView bytes);

// Length in bytes as the kernel knows it. Throws std::runtime_error unless `fd` is a memfd with
// every seal set: nothing that a peer states is believed.
std::uint64_t sealed_size(int fd);

// Copies the first `size` bytes to `target`. Throws std::runtime_error when there are fewer.
void read_sealed(int fd, void* target, std::uint64_t size);

// Read-only mapping of a sealed memfd. Same checks and errors as sealed_size().
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
