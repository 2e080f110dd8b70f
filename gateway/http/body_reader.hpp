// Reads the body of a request piece by piece, and limits its size and its slowness.
#pragma once

#include <httplib.h>

#include <chrono>
#include <exception>
#include <functional>
#include <string_view>

#include "http/exchange.hpp"
#include "http/pace.hpp"

namespace imgpress::gateway {

class BodyReader {
 public:
  BodyReader(Exchange& exchange, const httplib::ContentReader& reader)
      : exchange_(exchange), reader_(reader) {}

  // Passes the body on to its end. After the first exception of `take` the rest is discarded; then
  // the exception is thrown. Throws HttpError if the body is larger than `most_bytes`, too slow or
  // malformed.
  void read(std::uint64_t most_bytes, const std::function<void(std::string_view bytes)>& take);

  // Reads and discards the body, as far as that is worth it.
  void discard();

 private:
  bool read_whole(const std::function<void(std::string_view)>& take);
  bool guard(std::string_view bytes, const std::function<void(std::string_view)>& take);

  Exchange& exchange_;
  const httplib::ContentReader& reader_;
  const Pace pace_;
  std::uint64_t received_ = 0;
  std::exception_ptr failure_;
  std::uint64_t received_at_failure_ = 0;
  std::chrono::steady_clock::time_point failed_at_;
};

}  // namespace imgpress::gateway
