#include "http/body_reader.hpp"

namespace imgpress::gateway {
namespace {

// A client that still sends when the connection is closed would see a reset instead of the answer.
// So what it sends is read for a while.
constexpr std::uint64_t kMostDiscarded = 64 << 20;
constexpr auto kDiscardTime = std::chrono::seconds(5);

}  // namespace

void BodyReader::read(std::uint64_t most_bytes, const std::function<void(std::string_view)>& take) {
  const bool whole = read_whole([&](std::string_view bytes) {
    if (received_ > most_bytes) throw HttpError(too_large(most_bytes));
    if (pace_.too_slow(received_)) {
      throw HttpError({kTimeout, "the body arrives too slowly"});
    }
    take(bytes);
  });
  if (failure_) std::rethrow_exception(failure_);
  if (!whole) {
    throw HttpError({kBadRequest, "the body is malformed or ends too early"});
  }
}

void BodyReader::discard() {
  read_whole([](std::string_view) { throw HttpError({}); });
}

// False if the body was not read to its end.
bool BodyReader::read_whole(const std::function<void(std::string_view)>& take) {
  // The library would parse and unpack these itself.
  for (const char* name : {"Content-Type", "Content-Encoding"}) {
    exchange_.library_request().headers.erase(name);
  }
  const bool whole = reader_([&](const char* data, std::size_t size) {
    return guard({data, size}, take);
  });
  // Version 0.11 of the library takes some malformed chunks for the end of the body: a CSV that is
  // the whole body is then cut off there.
  exchange_.set_body_unread(!whole || exchange_.request().has_header("Transfer-Encoding"));
  return whole;
}

// False if no more should be read.
bool BodyReader::guard(std::string_view bytes, const std::function<void(std::string_view)>& take) {
  received_ += bytes.size();
  const auto now = std::chrono::steady_clock::now();
  if (!failure_) {
    try {
      take(bytes);
      return true;
    } catch (...) {
      failure_ = std::current_exception();
      received_at_failure_ = received_;
      failed_at_ = now;
    }
  }
  return received_ - received_at_failure_ < kMostDiscarded && now - failed_at_ < kDiscardTime;
}

}  // namespace imgpress::gateway
