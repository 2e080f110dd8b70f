// cpp-httplib's server, with its handling of connections replaced.
//
// The library parses requests and writes answers. The rest is done here, because the library as
// distributions compile it has a listen queue of five, an unbounded thread pool, a thread for every
// idle connection, and keeps connections open after a request whose end is uncertain.
#pragma once

#include <httplib.h>

#include <atomic>

#include "connection_stream.hpp"
#include "request_check.hpp"
#include "lobby.hpp"
#include "socket.hpp"
#include "worker_pool.hpp"

namespace imgpress::gateway {

// The Content-Type of a request. The library must not see it: it would run its own multipart parser
// on the body.
constexpr const char* kBodyTypeHeader = "imgpress-body-type";

// Set by the server: the status with which the request is refused, whatever its path.
constexpr const char* kRefusalHeader = "imgpress-refusal";

// Set by the server: the result for a request that was looked up together with others.
constexpr const char* kFindingHeader = "imgpress-finding";

// Looks up several requests at once, by the ids in their paths; the results are in the same order.
// Must not throw.
using Lookup = std::function<std::vector<std::string>(const std::vector<std::string>& ids)>;

// The headers that say where the request ends.
Framing framing_of(const httplib::Request& request);

class HttpServer : public httplib::Server {
 public:
  explicit HttpServer(Lookup look_up);

  // Serves until stop(), then returns when the requests under way have ended.
  void serve(Socket listener);

  // May be called from any thread, once.
  void stop_serving();

 private:
  void dispatch(Client client);
  void work(Jobs jobs);
  void converse(Job job, const std::string& finding);
  // What becomes of a connection after a request.
  enum class Next { kRequest, kClose, kLinger, kReset };
  Next serve_one(ConnectionStream& stream, const Job& job, const std::string& finding);

  const Lookup look_up_;
  std::atomic<bool> stopping_{false};
  Lobby lobby_;
  WorkerPool workers_;
};

}  // namespace imgpress::gateway
