// A long JSON answer, made row by row: neither the rows nor the text are in memory as a whole.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pool.hpp"

namespace imgpress::gateway {

class RowStream {
 public:
  // Appends the JSON of one row.
  using WriteRow = std::function<void(const Result& row, std::string& out)>;

  // Takes over a lease on which start_rows() was just called, and waits for the first row: throws
  // the errors of the query, before anything was answered. The answer is `head`, the rows separated
  // by commas, and `tail`.
  RowStream(Lease lease, std::string head, WriteRow write_row, std::string tail);

  // Appends the next few kilobytes of the answer to `out`; false at the end. Throws if the database
  // fails.
  bool next(std::string& out);

 private:
  void append_rows(std::string& out);

  Lease lease_;
  std::string head_;
  WriteRow write_row_;
  std::string tail_;
  std::optional<Result> row_;  // the next one to be written
  enum class Place { kHead, kRows, kEnd } place_ = Place::kHead;
};

}  // namespace imgpress::gateway
