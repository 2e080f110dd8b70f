// Decides which downloads may store how much, so that all images of a drainer stay within its limit
// of memory: those that are being downloaded here, and those that the owner still has.
//
// A download reserves memory before it stores anything. A claim that does not fit waits in line,
// first come first served. The first in line may go beyond the limit, by one image at most: it
// reserves all that it can still need if no other one is beyond. So there is always one that can
// come to its end, and then frees memory, even if the limit is full of half-downloaded images.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "core/wire/messages.hpp"

namespace imgpress::press {

class MemoryBudget {
 public:
  struct Claim {
    std::uint64_t id = 0;    // of the download; not 0
    std::uint64_t step = 0;  // bytes that it asks for
    std::uint64_t rest = 0;  // all that it can still need; not less
    // If it has to wait, it asks for the rest, so as to come to its end then: many that get a bit
    // more each would all have to wait again.
    bool whole = false;
  };
  struct Granted {
    std::uint64_t id = 0;
    std::uint64_t bytes = 0;
  };

  // Without any grant nothing is limited.
  void apply(const wire::MemoryGrant& grant) { grant_ = grant; }

  // How much is reserved: `step`, or `rest` for one that goes beyond the limit. 0: it waits in line
  // until next() names it.
  std::uint64_t reserve(const Claim& claim);

  // Takes the first claim from the line if it may be granted now.
  std::optional<Granted> next();
  // A download that waited has ended.
  void forget(std::uint64_t id);

  // A download turns out to need so much less than it has reserved.
  void give_back(std::uint64_t id, std::uint64_t bytes);
  // The same for one that may need it later. Refused (false) if it is beyond the limit and would
  // stay there: then it must not wait in line, since none behind it could go on.
  bool lend(std::uint64_t id, std::uint64_t bytes);
  // A download that has reserved so much has ended. Its owner gets a body of this size.
  void end(std::uint64_t id, std::uint64_t reserved, std::uint64_t body_bytes);

  bool is_short() const { return !line_.empty(); }
  std::uint64_t reserved() const { return reserved_; }

 private:
  std::uint64_t grant(const Claim& claim);
  std::int64_t left() const;
  bool owner_waits() const;

  wire::MemoryGrant grant_ = wire::kUnlimitedMemory;
  std::uint64_t reserved_ = 0;     // by all downloads
  std::uint64_t handed_over_ = 0;  // since the start of the process
  std::uint64_t beyond_ = 0;       // the download that last went beyond the limit; 0: it has ended
  std::deque<Claim> line_;
};

}  // namespace imgpress::press
