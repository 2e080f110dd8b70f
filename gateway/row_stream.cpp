#include "row_stream.hpp"

namespace imgpress::gateway {
namespace {

// PostgreSQL builds the whole result, perhaps 100,000 products, before it sends the first row.
constexpr auto kFirstRowTime = std::chrono::minutes(5);
constexpr auto kRowTime = std::chrono::seconds(30);
constexpr std::size_t kChunkBytes = 64 * 1024;

}  // namespace

RowStream::RowStream(Lease lease, std::string head, WriteRow write_row, std::string tail)
    : lease_(std::move(lease)),
      head_(std::move(head)),
      write_row_(std::move(write_row)),
      tail_(std::move(tail)),
      row_(lease_->next_row(within(kFirstRowTime))) {}

bool RowStream::next(std::string& out) {
  if (place_ == Place::kEnd) return false;
  if (place_ == Place::kHead) out += head_;
  append_rows(out);
  return true;
}

void RowStream::append_rows(std::string& out) {
  const std::size_t start = out.size();
  while (row_ && out.size() - start < kChunkBytes) {
    if (place_ == Place::kRows) out += ',';
    place_ = Place::kRows;
    write_row_(*row_, out);
    row_ = lease_->next_row(within(kRowTime));
  }
  if (row_) return;
  out += tail_;
  place_ = Place::kEnd;
}

}  // namespace imgpress::gateway
