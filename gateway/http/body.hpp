// Builds the body of an answer in a spool, gzipped on the way where that is wanted and worth it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/spool.hpp"

namespace imgpress::gateway {

// A finished body.
struct Body {
  std::shared_ptr<const Spool> bytes;
  std::string type;
  bool gzipped = false;
};

class BodyBuilder {
 public:
  BodyBuilder(SpoolSpace& space, bool may_gzip);
  ~BodyBuilder();
  BodyBuilder(BodyBuilder&&) noexcept;

  // Throws what Spool::append() throws.
  void append(std::string_view text);

  // Once, at the end. Throws likewise.
  Body finish(std::string type);

 private:
  struct Gzip;

  std::shared_ptr<Spool> spool_;
  const bool may_gzip_;
  std::string first_;  // the beginning, while it is too short to be gzipped
  std::unique_ptr<Gzip> gzip_;
};

// True if the value of Accept-Encoding allows gzip.
bool accepts_gzip(const std::string& accept_encoding);

}  // namespace imgpress::gateway
