#include "database/pool.hpp"

#include <algorithm>

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

Lease::~Lease() {
  if (connection_) pool_->give_back(use_, std::move(connection_));
}

Pool::Pool(std::string conninfo, std::size_t size)
    : conninfo_(std::move(conninfo)),
      size_(size),
      most_long_(size > kKeptForShortUses ? size - kKeptForShortUses : 1) {}

Lease Pool::acquire(Use use, Deadline deadline) {
  take_place(use, deadline);
  if (auto connection = idle_connection()) return Lease(*this, use, std::move(connection), true);
  return Lease(*this, use, connect(use), false);
}

Lease Pool::acquire_fresh(Use use, Deadline deadline) {
  take_place(use, deadline);
  std::vector<std::unique_ptr<Connection>> dropped;  // to be closed outside the lock
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(idle_);
  }
  return Lease(*this, use, connect(use), false);
}

void Pool::take_place(Use use, Deadline deadline) {
  std::unique_lock lock(mutex_);
  // This overtakes no waiting request: leave_place() gives them free places at once.
  if (place_for(use)) return take(use);
  Waiter waiter{use, false, {}};
  const auto position = waiters_.insert(waiters_.end(), &waiter);
  if (waiter.wake.wait_until(lock, deadline, [&] { return waiter.granted; })) return;
  waiters_.erase(position);
  throw PoolBusy("all connections to PostgreSQL stayed busy");
}

void Pool::leave_place(Use use) {
  const std::lock_guard lock(mutex_);
  --in_use_;
  if (use == Use::kLong) --long_in_use_;
  const auto next = std::find_if(waiters_.begin(), waiters_.end(),
                                 [this](const Waiter* waiter) { return place_for(waiter->use); });
  if (next == waiters_.end()) return;
  Waiter* waiter = *next;
  waiters_.erase(next);
  take(waiter->use);
  waiter->granted = true;
  waiter->wake.notify_one();
}

bool Pool::place_for(Use use) const {
  return in_use_ < size_ && (use == Use::kShort || long_in_use_ < most_long_);
}

void Pool::take(Use use) {
  ++in_use_;
  if (use == Use::kLong) ++long_in_use_;
}

// The connection used last, whose caches are the warmest; drops dead ones on the way.
std::unique_ptr<Connection> Pool::idle_connection() {
  for (;;) {
    std::unique_ptr<Connection> connection;
    {
      const std::lock_guard lock(mutex_);
      if (idle_.empty()) return nullptr;
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    if (!connection->stale()) return connection;
  }
}

std::unique_ptr<Connection> Pool::connect(Use use) {
  try {
    return std::make_unique<Connection>(conninfo_);
  } catch (...) {
    leave_place(use);
    throw;
  }
}

void Pool::give_back(Use use, std::unique_ptr<Connection> connection) {
  if (tidy(*connection)) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(connection));
  } else {
    connection.reset();  // before freeing the place, or there would be one connection too many
  }
  leave_place(use);
}

}  // namespace imgpress::gateway
