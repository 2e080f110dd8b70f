// cpp-httplib's server with its own accept loop and its own care for connections.
//
// The library parses requests and writes answers. What it does around that is replaced, since its
// compiled-in form in distributions cannot be tuned: a listen queue of five, a thread pool without
// bound, a thread for every connection however idle, and connections kept open after a request
// whose end is uncertain.
#pragma once

#include <httplib.h>

#include <atomic>

#include "connection_stream.hpp"
#include "request_check.hpp"
#include "lobby.hpp"
#include "socket.hpp"
#include "worker_pool.hpp"

namespace imgpress::gateway {

// The real Content-Type of a request with a body. It is kept from the library, which would put its
// own multipart parser between the body and whoever reads it.
constexpr const char* kBodyTypeHeader = "imgpress-body-type";

// Set by the server alone: the status with which the request is refused, whatever it asks for.
constexpr const char* kRefusalHeader = "imgpress-refusal";

// Set by the server alone: what was found for a request that was served together with others.
constexpr const char* kFindingHeader = "imgpress-finding";

// Called for requests that are served together, with the ids in their paths: what is found for
// each, in that order. Must not throw.
using Lookup = std::function<std::vector<std::string>(const std::vector<std::string>& ids)>;

// How the end of a request is given.
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
