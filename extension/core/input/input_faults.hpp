// The faults of an input. Only the first ones are kept and the others counted, so that a file with
// a million bad rows needs no more memory than one with a thousand.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace imgpress {

// One fault, as the user sees it.
struct InputFault {
  int line = 0;        // 1-based line of the CSV, or 1-based element of an array
  std::string column;  // heading in its usual spelling; empty if it concerns the whole line
  std::string message;
};

constexpr std::size_t kMaxListedFaults = 1000;

class InputFaults {
 public:
  void add(InputFault fault) {
    ++count_;
    if (listed_.size() < kMaxListedFaults) listed_.push_back(std::move(fault));
  }

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  const std::vector<InputFault>& listed() const { return listed_; }
  std::size_t unlisted() const { return count_ - listed_.size(); }

 private:
  std::vector<InputFault> listed_;
  std::size_t count_ = 0;
};

}  // namespace imgpress
