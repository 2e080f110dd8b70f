#include "http_server.hpp"

#include "ascii.hpp"
#include "log.hpp"
#include "request_head.hpp"
#include "route.hpp"

namespace imgpress::gateway {
namespace {

// Threads are cheap. The slow lanes may not take all of them: the rest serves requests that a slow
// client cannot prolong.
constexpr std::size_t kThreads = 128;
// Statuses need few threads: those that wait share one round trip to the database.
constexpr LaneLimits kLaneLimits{
    {{48, 0}, {48, 256}, {4, kUnlimited, 256}, {kThreads, kUnlimited}}};
static_assert(kLaneLimits[0].running + kLaneLimits[1].running + kLaneLimits[2].running < kThreads);

// HTTP/1.0 has no chunked encoding: an answer of unknown length ends with the connection.
bool ends_with_connection(const httplib::Request& request) {
  if (request.version != "HTTP/1.0") return false;
  const Resource resource = parse_route(request.path).resource;
  return resource == Resource::kProducts || resource == Resource::kUpload;
}

// Changes headers to which the library would react wrongly. True if the connection may stay open
// after the answer.
bool prepare(httplib::Request& request, int refusal, const std::string& finding) {
  // The library would compress long answers at the slowest level: leave that to a proxy.
  request.headers.erase("Accept-Encoding");

  request.headers.erase(kRefusalHeader);
  if (refusal != 0) request.set_header(kRefusalHeader, std::to_string(refusal));

  request.headers.erase(kFindingHeader);
  if (!finding.empty()) request.set_header(kFindingHeader, finding);

  request.headers.erase(kBodyTypeHeader);
  request.set_header(kBodyTypeHeader, request.get_header_value("Content-Type"));
  request.headers.erase("Content-Type");

  if (!equals_ignoring_case(request.get_header_value("Connection"), "close") &&
      !ends_with_connection(request)) {
    return true;
  }
  request.headers.erase("Connection");
  request.set_header("Connection", "close");  // the library knows no other spelling
  return false;
}

}  // namespace

Framing framing_of(const httplib::Request& request) {
  Framing framing;
  for (const auto& [name, value] : request.headers) {
    framing.names_valid = framing.names_valid && is_header_name(name);
  }
  framing.transfer_encoding = request.has_header("Transfer-Encoding");
  framing.content_encoding = request.has_header("Content-Encoding");
  framing.content_lengths = request.get_header_value_count("Content-Length");
  framing.content_length = request.get_header_value("Content-Length");
  return framing;
}

HttpServer::HttpServer(Lookup look_up)
    : look_up_(std::move(look_up)),
      lobby_([this](Client client) { dispatch(std::move(client)); }),
      workers_(kThreads, kLaneLimits, [this](Jobs jobs) { work(std::move(jobs)); }) {}

void HttpServer::serve(Socket listener) {
  svr_sock_ = listener.get();  // without a socket the library believes that it is shutting down
  lobby_.run(std::move(listener));
  workers_.shut_down();
}

void HttpServer::stop_serving() {
  stopping_ = true;
  lobby_.stop();
  workers_.stop_accepting();
}

void HttpServer::dispatch(Client client) {
  RequestHead head = take_head(client.input);
  Lane lane = head.refusal == 0 ? lane_of(head.method, head.target) : Lane::kQuick;
  // A client that does not read its answers must not delay the other statuses.
  if (lane == Lane::kStatus && !has_room(client.socket)) lane = Lane::kDownload;
  workers_.submit({std::move(client), std::move(head), lane});
}

void HttpServer::work(Jobs jobs) {
  std::vector<std::string> findings(jobs.size());
  if (jobs.front().lane == Lane::kStatus) {
    std::vector<std::string> ids;
    for (const Job& job : jobs) ids.push_back(request_id_in(job.head.target));
    findings = look_up_(ids);
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) converse(std::move(jobs[i]), findings[i]);
}

void HttpServer::converse(Job job, const std::string& finding) {
  ConnectionStream stream(job.client.socket.get(), job.head.text, job.client.input);
  Next next = Next::kReset;
  try {
    next = serve_one(stream, job, finding);
  } catch (const std::exception& error) {
    log_line(std::string("a connection was aborted: ") + error.what());
  }
  if (next == Next::kReset) stream.reset_on_close();
  if (next == Next::kReset || next == Next::kClose) return;
  job.client.input = std::string(stream.unread());
  if (next == Next::kRequest) return lobby_.await_request(std::move(job.client));
  lobby_.linger(std::move(job.client));
}

HttpServer::Next HttpServer::serve_one(ConnectionStream& stream, const Job& job,
                                       const std::string& finding) {
  bool has_head = false;        // the library could parse it
  bool end_is_certain = false;  // it is clear where this request ends and the next one begins
  bool keep_open = false;
  bool close_asked = false;
  const bool last = stopping_;
  const bool answered = process_request(stream, last, close_asked, [&](httplib::Request& request) {
    const auto length = body_length(framing_of(request));
    has_head = true;
    end_is_certain = job.head.refusal == 0 && length.has_value();
    keep_open = prepare(request, job.turned_away ? 503 : job.head.refusal, finding);
    stream.begin_body(length.value_or(0));
  });
  if (!stream.flush()) return Next::kReset;
  if (!has_head) return Next::kLinger;  // the library has answered with an error
  if (!answered) return Next::kReset;   // aborted
  if (!end_is_certain || stream.body_left() > 0) return Next::kLinger;
  return keep_open && !close_asked && !last ? Next::kRequest : Next::kClose;
}

}  // namespace imgpress::gateway
