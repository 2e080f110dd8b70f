// Where connections are that do not need a thread: those whose next request has not come yet, or
// not to the end of its head, and those that only take leave. One thread watches over all of them.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "client.hpp"

namespace imgpress::gateway {

class Lobby {
 public:
  // Takes a client whose input begins with a complete head. Must not block nor throw.
  using Ready = std::function<void(Client)>;

  explicit Lobby(Ready ready);

  // Accepts clients and waits for their requests until stop(); then closes whoever is here.
  void run(Socket listener);

  // These may be called from any thread.
  void stop();
  void await_request(Client client);
  // Tells the client that no more comes, and takes what it still sends for a while: closing at once
  // would make the kernel reset the connection, and the client lose the answer.
  void linger(Client client);

 private:
  using Clock = std::chrono::steady_clock;
  struct Guest {
    Client client;
    Clock::time_point deadline;
    Clock::time_point leaves;  // of one who lingers: the end of it all
    bool lingers = false;
  };

  bool watch(int fd, std::uint32_t events);
  void accept_clients(int listener);
  void admit(Guest guest);
  void attend(int fd);
  bool receive(Guest& guest);
  bool evict();
  void expire();

  const Ready ready_;
  const Socket epoll_;
  const Socket stop_event_;
  std::atomic<bool> stopping_{false};
  std::vector<char> buffer_;  // of the thread in run()
  Clock::time_point next_sweep_;
  std::mutex mutex_;  // guards everything below
  std::unordered_map<int, Guest> guests_;
  bool closed_ = false;
};

}  // namespace imgpress::gateway
