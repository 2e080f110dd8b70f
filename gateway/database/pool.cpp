#include "database/pool.hpp"

namespace imgpress::gateway {
namespace {

constexpr auto kRollbackTime = std::chrono::seconds(2);
constexpr std::size_t kKeptForShortUses = 2;

// Ends a transaction that an error may have left open. False if the connection cannot be used
// again.
bool tidy(Connection& connection) {
  if (!connection.ready()) return false;
  if (!connection.in_transaction()) return true;
  try {
    connection.execute("ROLLBACK", within(kRollbackTime));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

Pool::Pool(std::string conninfo, std::size_t size)
    : conninfo_(std::move(conninfo)),
      size_(size),
      most_long_(size > kKeptForShortUses ? size - kKeptForShortUses : 1) {}

Pool::Lease::Lease(Pool& owner, Use wanted, Deadline deadline, bool fresh)
    : pool(owner), use(wanted) {
  {
    std::unique_lock lock(pool.mutex_);
    auto& may_go = use == Use::kLong ? pool.long_may_go_ : pool.short_may_go_;
    if (!may_go.wait_until(lock, deadline, [this] { return pool.has_place(use); })) {
      throw PoolBusy("all connections to PostgreSQL stayed busy");
    }
    ++pool.in_use_;
    if (use == Use::kLong) ++pool.long_in_use_;
    if (!fresh && !pool.idle_.empty()) {
      // The one used last, whose caches are the warmest.
      connection = std::move(pool.idle_.back());
      pool.idle_.pop_back();
      return;
    }
  }
  try {
    connection = std::make_unique<Connection>(pool.conninfo_);
  } catch (...) {
    pool.leave_place(use);
    throw;
  }
}

Pool::Lease::~Lease() {
  if (tidy(*connection)) {
    const std::lock_guard lock(pool.mutex_);
    pool.idle_.push_back(std::move(connection));
  } else {
    connection.reset();  // before leaving the place, or there would be one connection too many
  }
  pool.leave_place(use);
}

bool Pool::has_place(Use use) const {
  return in_use_ < size_ && (use == Use::kShort || long_in_use_ < most_long_);
}

void Pool::leave_place(Use use) {
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (use == Use::kLong) --long_in_use_;
  }
  short_may_go_.notify_one();
  long_may_go_.notify_one();
}

void Pool::close_idle() {
  std::vector<std::unique_ptr<Connection>> dropped;  // to be closed outside the lock
  const std::lock_guard lock(mutex_);
  dropped.swap(idle_);
}

}  // namespace imgpress::gateway
