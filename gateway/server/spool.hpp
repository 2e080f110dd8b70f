// Bytes that wait for a client or for PostgreSQL: a few of them in memory, more in an unlinked
// file, so that a slow client costs disk space only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// All spools together have taken the space that they may take, or the disk is full.
class SpoolFull : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The folder of the files, and the space that all of them together may take. Any thread may use it.
class SpoolSpace {
 public:
  // Throws std::runtime_error with a sentence for the user if no file can be made in the folder.
  SpoolSpace(std::string folder, std::uint64_t most_bytes);

 private:
  friend class Spool;
  int open_file() const;  // -1 and errno on failure
  void take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes) { used_ -= bytes; }

  const std::string folder_;
  const std::uint64_t most_bytes_;
  std::atomic<std::uint64_t> used_{0};
};

class Spool {
 public:
  explicit Spool(SpoolSpace& space) : space_(space) {}
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Throws SpoolFull, or std::system_error if the file cannot be written.
  void append(std::string_view bytes);

  std::uint64_t size() const { return stored_ + tail_.size(); }

  // Copies up to `size` bytes from `offset`; returns how many, 0 at the end. Throws
  // std::system_error if the file cannot be read.
  std::size_t read(std::uint64_t offset, char* data, std::size_t size) const;

 private:
  void store_tail();

  SpoolSpace& space_;
  int file_ = -1;
  std::uint64_t stored_ = 0;  // bytes in the file
  std::string tail_;          // the bytes after those
};

}  // namespace imgpress::gateway
