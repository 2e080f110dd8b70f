// What is wrong with an input: the first faults in full, the others as a number, so that a file of
// a million bad rows takes no more memory than one of a thousand.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace imgpress {

// One thing wrong with the input, as the user sees it.
struct InputFault {
  int line = 0;        // 1-based line of the CSV, or 1-based element of an array
  std::string column;  // heading in its usual spelling; empty when the whole line is meant
  std::string message;
};

constexpr std::size_t kMostFaultsListed = 1000;

class InputFaults {
 public:
  void add(InputFault fault) {
    ++count_;
    if (listed_.size() < kMostFaultsListed) listed_.push_back(std::move(fault));
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
