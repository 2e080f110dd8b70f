// Reads the body of a request piece by piece, multipart form or not.
#pragma once

#include <httplib.h>

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "http/pace.hpp"

namespace imgpress::gateway {

class BodyReader {
 public:
  BodyReader(Exchange& exchange, const httplib::ContentReader& reader)
      : exchange_(exchange), reader_(reader) {}

  // A part of a multipart form begins; a piece of that part, or of a body without parts.
  using Begin = std::function<void(const std::string& name)>;
  using Take = std::function<void(std::string_view bytes)>;

  // Reads to the end. After the first exception of these functions the rest is discarded; then the
  // exception is thrown. Throws HttpError if the client is too slow or the form is malformed.
  void read(const Begin& begin, const Take& take);

  // Reads and discards the body.
  void discard();

 private:
  bool guard(std::size_t size, const std::function<void()>& work);
  bool may_discard() const;

  Exchange& exchange_;
  const httplib::ContentReader& reader_;
  const Pace pace_;
  std::uint64_t received_ = 0;
  std::exception_ptr failure_;
  // When and where the failure was.
  std::uint64_t received_then_ = 0;
  std::chrono::steady_clock::time_point then_;
};

}  // namespace imgpress::gateway
