#include "http/body_reader.hpp"

namespace imgpress::gateway {
namespace {

// A client that still sends when the connection is closed would see a reset instead of the answer.
// So what it sends is read for a while.
constexpr std::uint64_t kMostDiscarded = 64 << 20;
constexpr auto kDiscardTime = std::chrono::seconds(5);

Error malformed_body(const httplib::Request& request) {
  if (!request.is_multipart_form_data()) {
    return {ErrorCode::kBadRequest, "the body is malformed or ends too early"};
  }
  return {ErrorCode::kBadRequest, "the form is malformed, or ends before its last boundary",
          "Content-Type must end with the boundary that stands between the fields of the form."};
}

}  // namespace

void BodyReader::read(const Begin& begin, const Take& take) {
  const httplib::Request& request = exchange_.request();
  const auto receive = [&](const char* data, std::size_t size) {
    return guard(size, [&] { take({data, size}); });
  };
  const bool whole =
      request.is_multipart_form_data()
          ? reader_([&](const auto& part) { return guard(0, [&] { begin(part.name); }); }, receive)
          : reader_(receive);
  if (!whole) exchange_.close_after();
  if (failure_) std::rethrow_exception(failure_);
  if (!whole) throw HttpError(malformed_body(request));
}

void BodyReader::discard() {
  try {
    read([](const std::string&) {}, [](std::string_view) {});
  } catch (const HttpError&) {
    // The connection will be closed.
  }
}

// Does some work on the next `size` bytes. False if no more should be read.
bool BodyReader::guard(std::size_t size, const std::function<void()>& work) {
  received_ += size;
  if (failure_) return may_discard();
  try {
    if (pace_.too_slow(received_)) {
      throw HttpError({ErrorCode::kTimeout, "the body arrives too slowly"});
    }
    work();
    return true;
  } catch (...) {
    failure_ = std::current_exception();
    received_then_ = received_;
    then_ = std::chrono::steady_clock::now();
    return may_discard();
  }
}

bool BodyReader::may_discard() const {
  return received_ - received_then_ < kMostDiscarded &&
         std::chrono::steady_clock::now() - then_ < kDiscardTime;
}

}  // namespace imgpress::gateway
