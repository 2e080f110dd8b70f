// A pool of connections with a maximum size; each is opened when first needed.
#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "database/connection.hpp"

namespace imgpress::gateway {

// Long uses (uploads, lists of products) may take seconds. They never take the last connections, so
// that status, images and health stay fast.
enum class Use { kShort, kLong };

// All connections stayed in use.
class PoolBusy : public DatabaseUnavailable {
 public:
  using DatabaseUnavailable::DatabaseUnavailable;
};

class Pool;

// One connection of the pool, returned by the destructor.
class Lease {
 public:
  Lease(Pool& pool, Use use, std::unique_ptr<Connection> connection, bool reused)
      : pool_(&pool), use_(use), connection_(std::move(connection)), reused_(reused) {}
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  Connection* operator->() const { return connection_.get(); }
  // True if the connection was used before: it may have died since then.
  bool reused() const { return reused_; }

 private:
  Pool* pool_;
  Use use_;
  std::unique_ptr<Connection> connection_;  // empty: moved from
  bool reused_;
};

class Pool {
 public:
  // REQUIRES: size > 0
  Pool(std::string conninfo, std::size_t size);

  // Waits until the deadline for a connection. Throws PoolBusy and DatabaseUnavailable.
  Lease acquire(Use use, Deadline deadline);
  // Likewise, but opens a new connection, and closes the idle ones.
  Lease acquire_fresh(Use use, Deadline deadline);

  const std::string& conninfo() const { return conninfo_; }

 private:
  friend class Lease;
  struct Waiter {
    Use use;
    bool granted = false;
    std::condition_variable wake;
  };

  void take_place(Use use, Deadline deadline);
  void leave_place(Use use);
  bool place_for(Use use) const;
  void take(Use use);
  std::unique_ptr<Connection> idle_connection();
  std::unique_ptr<Connection> connect(Use use);
  void give_back(Use use, std::unique_ptr<Connection> connection);

  const std::string conninfo_;
  const std::size_t size_;
  const std::size_t most_long_;

  std::mutex mutex_;  // guards everything below
  std::vector<std::unique_ptr<Connection>> idle_;
  std::list<Waiter*> waiters_;  // first come, first served
  std::size_t in_use_ = 0;
  std::size_t long_in_use_ = 0;
};

// Runs work(Lease&). If a used connection turns out to be dead, runs it again on a new one.
// REQUIRES: running the work twice is harmless.
template <typename Work>
auto with_connection(Pool& pool, Use use, Deadline deadline, Work&& work) {
  std::optional<Lease> lease(pool.acquire(use, deadline));
  try {
    return work(*lease);
  } catch (const ConnectionLost&) {
    if (!lease->reused()) throw;
  }
  lease.reset();
  Lease fresh = pool.acquire_fresh(use, deadline);
  return work(fresh);
}

}  // namespace imgpress::gateway
