#include "channel/sealed_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace imgpress {
namespace {

constexpr int kAllSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

MemoryWriter::MemoryWriter(const char* name)
    : fd_(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (!fd_) fail("memfd_create");
}

void MemoryWriter::append(ByteView bytes) {
  while (bytes.size > 0) {
    const ssize_t written = ::write(fd_.get(), bytes.data, bytes.size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write to memfd");
    }
    bytes.data += written;
    bytes.size -= static_cast<std::size_t>(written);
    size_ += static_cast<std::uint64_t>(written);
  }
}

UniqueFd MemoryWriter::seal() {
  if (::fcntl(fd_.get(), F_ADD_SEALS, kAllSeals) != 0) fail("seal memfd");
  return std::move(fd_);
}

UniqueFd make_sealed(const char* name, ByteView bytes) {
  MemoryWriter writer(name);
  writer.append(bytes);
  return writer.seal();
}

std::uint64_t sealed_size(int fd) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kAllSeals) != kAllSeals) {
    throw std::runtime_error("received memory is not sealed");
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail("fstat of memfd");
  return static_cast<std::uint64_t>(status.st_size);
}

void read_sealed(int fd, void* target, std::uint64_t size) {
  auto* next = static_cast<char*>(target);
  off_t offset = 0;
  while (size > 0) {
    const ssize_t got = ::pread(fd, next, size, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read of memfd");
    if (got == 0) throw std::runtime_error("memory ends too early");
    next += got;
    offset += got;
    size -= static_cast<std::uint64_t>(got);
  }
}

SealedView::SealedView(int fd) {
  const std::uint64_t size = sealed_size(fd);
  if (size == 0) return;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED) fail("mmap of memfd");
  bytes_ = {static_cast<const std::uint8_t*>(address), size};
}

SealedView::~SealedView() {
  if (bytes_.size > 0) ::munmap(const_cast<std::uint8_t*>(bytes_.data), bytes_.size);
}

}  // namespace imgpress
