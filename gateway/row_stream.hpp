// A long JSON answer made row by row: neither the rows nor the text are ever in memory as a whole.
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

  // Takes over a lease in whose transaction start_rows() was just called, and waits for the first
  // row: what is wrong with the query is thrown here, before anything was answered.
  // head and tail enclose the rows, which are separated by commas.
  RowStream(Lease lease, std::string head, WriteRow write_row, std::string tail);

  // Appends some kilobytes of the answer to out; false when all of it was given before.
  // Throws where the database fails on the way.
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
