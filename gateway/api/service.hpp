// What all handlers share.
#pragma once

#include <cstdint>

#include "database/pool.hpp"
#include "database/watch.hpp"
#include "server/server.hpp"
#include "server/spool.hpp"

namespace imgpress::gateway {

struct Service {
  Server& server;
  Pool& pool;
  Watch& watch;
  SpoolSpace& space;
  std::uint64_t max_upload_bytes;
};

// How long a request may wait for a free connection, and for the answer to a short statement. The
// login's statement_timeout should be shorter, so that PostgreSQL itself ends the statement.
constexpr auto kConnectionWait = std::chrono::seconds(5);
constexpr auto kQueryTime = std::chrono::seconds(15);

}  // namespace imgpress::gateway
