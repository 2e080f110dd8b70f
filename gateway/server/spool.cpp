#include "server/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace imgpress::gateway {
namespace {

constexpr std::size_t kInMemory = 64UL * 1024;

[[noreturn]] void fail(const char* what) {
  if (errno == ENOSPC || errno == EDQUOT) throw SpoolFull("the disk of --spool-dir is full");
  if (errno == EMFILE || errno == ENFILE) throw SpoolFull("too many files are open");
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

SpoolSpace::SpoolSpace(std::string folder, std::uint64_t most_bytes)
    : folder_(std::move(folder)), most_bytes_(most_bytes) {
  const int file = open_file();
  if (file < 0) {
    throw std::runtime_error("cannot make files in \"" + folder_ +
                             "\", which --spool-dir names: " + std::strerror(errno));
  }
  ::close(file);
}

int SpoolSpace::open_file() const {
  return ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

void SpoolSpace::take(std::uint64_t bytes) {
  if (used_.fetch_add(bytes) + bytes <= most_bytes_) return;
  used_ -= bytes;
  throw SpoolFull("all spool files together would be larger than --max-spool-bytes allows");
}

Spool::~Spool() {
  if (file_ >= 0) ::close(file_);
  space_.give_back(stored_);
}

void Spool::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kInMemory - tail_.size());
    tail_.append(piece);
    bytes.remove_prefix(piece.size());
    if (tail_.size() == kInMemory) store_tail();
  }
}

void Spool::store_tail() {
  if (file_ < 0) file_ = space_.open_file();
  if (file_ < 0) fail("cannot make a file in --spool-dir");
  space_.take(tail_.size());
  const std::uint64_t end = stored_ + tail_.size();
  std::string_view left = tail_;
  while (!left.empty()) {
    const ssize_t written =
        ::pwrite(file_, left.data(), left.size(), static_cast<off_t>(end - left.size()));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      space_.give_back(tail_.size());
      fail("cannot write to a file in --spool-dir");
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  stored_ = end;
  tail_.clear();
}

std::size_t Spool::read(std::uint64_t offset, char* data, std::size_t size) const {
  if (offset >= stored_) {
    return tail_.copy(data, size, std::min<std::uint64_t>(offset - stored_, tail_.size()));
  }
  for (;;) {
    const ssize_t got = ::pread(file_, data, std::min<std::uint64_t>(size, stored_ - offset),
                                static_cast<off_t>(offset));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) errno = EIO;  // someone has cut the file short
    if (errno != EINTR) fail("cannot read a file in --spool-dir");
  }
}

}  // namespace imgpress::gateway
