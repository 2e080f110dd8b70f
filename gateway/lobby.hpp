// Keeps the connections that need no thread: those that wait for (the complete head of) their next
// request, and those that are being closed. One thread watches all of them.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "client.hpp"

namespace imgpress::gateway {

// How long a connection may wait for its next request.
constexpr auto kIdleTime = std::chrono::seconds(30);

class Lobby {
 public:
  // Receives a client whose input begins with a complete head. Must neither block nor throw.
  using Ready = std::function<void(Client)>;

  explicit Lobby(Ready ready);

  // Accepts clients and waits for their requests until stop(); then closes the connections in here.
  void run(Socket listener);

  // The functions below may be called from any thread.
  void stop();
  void await_request(Client client);
  // Ends the answer, and reads for a while what the client still sends: if the connection were
  // closed at once, the kernel would reset it and the client would lose the answer.
  void linger(Client client);

 private:
  using Clock = std::chrono::steady_clock;
  struct Guest {
    Client client;
    Clock::time_point deadline;
    Clock::time_point leaves;  // final deadline of a client that lingers
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
