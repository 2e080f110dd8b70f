// A pool of connections with a maximum size; each is opened when first needed.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
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

class Pool {
 public:
  // REQUIRES: size > 0
  Pool(std::string conninfo, std::size_t size);

  // Runs work(Connection&), after which the connection's transaction is rolled back if it is still
  // open. Waits until the deadline for a connection. If it is lost, the work is run once more on a
  // new one. Throws PoolBusy, DatabaseUnavailable, and what the work throws.
  // REQUIRES: running the work twice is harmless.
  template <typename Work>
  auto run(Use use, Deadline deadline, Work&& work) {
    try {
      Lease lease(*this, use, deadline);
      return work(*lease.connection);
    } catch (const ConnectionLost&) {
      close_idle();  // they are probably dead as well
    }
    Lease lease(*this, use, deadline, true);
    return work(*lease.connection);
  }

  const std::string& conninfo() const { return conninfo_; }

 private:
  // A place in the pool, and the connection in it.
  struct Lease {
    Lease(Pool& owner, Use wanted, Deadline deadline, bool fresh = false);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Pool& pool;
    const Use use;
    std::unique_ptr<Connection> connection;
  };

  bool has_place(Use use) const;
  void leave_place(Use use);
  void close_idle();

  const std::string conninfo_;
  const std::size_t size_;
  const std::size_t most_long_;

  std::mutex mutex_;  // guards everything below
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t in_use_ = 0;
  std::size_t long_in_use_ = 0;
  std::condition_variable short_may_go_;
  std::condition_variable long_may_go_;
};

}  // namespace imgpress::gateway
