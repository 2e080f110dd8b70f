#include "routes.hpp"

#include <ctime>

#include "answers.hpp"
#include "http_date.hpp"
#include "http_server.hpp"
#include "http_status.hpp"
#include "lobby.hpp"
#include "multipart.hpp"
#include "page/page.hpp"
#include "queries.hpp"
#include "request_check.hpp"
#include "route.hpp"
#include "upload.hpp"

namespace imgpress::gateway {
namespace {

using HandlerResponse = httplib::Server::HandlerResponse;

// The message for a status that was decided before the library saw the request.
const char* refusal_message(int status) {
  switch (status) {
    case 414:
      return "The path is too long.";
    case 431:
      return "The headers of the request are too long.";
    case 503:
      return "Too many requests of this kind are under way.";
    default:
      return "The request is malformed.";
  }
}

// Why the request is refused, as far as its head tells; no value if it is not.
std::optional<Refusal> refuse(const httplib::Request& request, const Route& route,
                              std::uint64_t max_upload_bytes) {
  const Framing framing = framing_of(request);
  if (request.has_header(kRefusalHeader)) {
    const int status = std::stoi(request.get_header_value(kRefusalHeader));
    return Refusal{status, refusal_message(status)};
  }
  if (route.resource == Resource::kUpload && request.method == "POST") {
    return refuse_upload(framing, request.get_header_value(kBodyTypeHeader), max_upload_bytes);
  }
  if (auto refusal = refuse_framing(framing, request.method)) return refusal;
  if (route.resource == Resource::kUnknown) return Refusal{404, "There is nothing at this path."};
  if (method_allowed(route.resource, request.method)) return std::nullopt;
  return Refusal{405, std::string("Allowed here: ") + allowed_methods(route.resource) + "."};
}

void answer_refusal(const httplib::Request& request, httplib::Response& response,
                    const Route& route, const Refusal& refusal) {
  answer_failure(response, {refusal.status, refusal.message});
  if (refusal.status == 405) response.set_header("Allow", allowed_methods(route.resource));
  // The body is left unread, or its end is unknown.
  if (body_length(framing_of(request)) != 0) close_after(response);
}

void require_request_id(const Route& route) {
  if (route.request_id.empty()) throw HttpError(404, kNoSuchRequest);
}

void answer_page(const PageFile& file, httplib::Response& response) {
  response.status = 200;
  response.set_content(std::string(file.content), std::string(file.content_type).c_str());
  response.set_header("Content-Security-Policy", kPagePolicy);
  response.set_header("Cache-Control", "no-cache");
  response.set_header("Referrer-Policy", "no-referrer");
}

void answer_get(Pool& pool, const Route& route, const httplib::Request& request,
                httplib::Response& response) {
  switch (route.resource) {
    case Resource::kPage:
      return answer_page(*find_page_file(request.path), response);
    case Resource::kHealth:
      return answer_health(pool, response);
    case Resource::kStatus:
      require_request_id(route);
      return answer_status(pool, route, request, response);
    case Resource::kProducts:
      require_request_id(route);
      return answer_products(pool, route, request, response);
    case Resource::kImage:
      return answer_image(pool, route, request, response);
    case Resource::kUpload:
    case Resource::kUnknown:
      break;
  }
  throw HttpError(404, "There is nothing at this path.");
}

void answer_exception(httplib::Response& response, const std::exception_ptr& exception) {
  response.headers.clear();
  answer_failure(response, explain(exception));
}

// Errors that the library detects itself, before it calls any handler.
void complete_error(httplib::Response& response) {
  if (!response.body.empty() || response.content_provider_) return;
  answer_error(response, response.status, refusal_message(response.status));
  close_after(response);
}

void complete_headers(httplib::Response& response) {
  const bool closes = response.get_header_value("Connection") == "close";
  response.headers.erase("Connection");
  response.headers.erase("Keep-Alive");
  response.headers.erase("Accept-Ranges");  // the library claims this for HEAD; ranges are ignored
  if (closes) {
    response.set_header("Connection", "close");
  } else {
    response.set_header("Keep-Alive", "timeout=" + std::to_string(kIdleTime.count()));
  }
  if (response.status == 304) response.headers.erase("Content-Length");
  response.set_header("Date", http_date(std::time(nullptr)));
  response.set_header("X-Content-Type-Options", "nosniff");
}

}  // namespace

void install_routes(httplib::Server& server, Pool& pool, std::uint64_t max_upload_bytes) {
  server.set_payload_max_length(max_upload_bytes + kFormOverhead);

  server.set_expect_100_continue_handler(
      [max_upload_bytes](const httplib::Request& request, httplib::Response& response) {
        const Route route = parse_route(request.path);
        const auto refusal = refuse(request, route, max_upload_bytes);
        if (!refusal) return 100;
        answer_refusal(request, response, route, *refusal);
        return response.status;
      });

  // Answers everything but uploads: only a handler can read a body.
  server.set_pre_routing_handler(
      [&pool, max_upload_bytes](const httplib::Request& request, httplib::Response& response) {
        const Route route = parse_route(request.path);
        if (const auto refusal = refuse(request, route, max_upload_bytes)) {
          answer_refusal(request, response, route, *refusal);
          return HandlerResponse::Handled;
        }
        if (route.resource == Resource::kUpload) return HandlerResponse::Unhandled;
        answer_get(pool, route, request, response);
        return HandlerResponse::Handled;
      });
  server.Post("/api/upload/?", [&pool, max_upload_bytes](const httplib::Request& request,
                                                         httplib::Response& response,
                                                         const httplib::ContentReader& read_body) {
    answer_upload(pool, max_upload_bytes, request, response, read_body);
  });

  server.set_exception_handler(
      [](const httplib::Request&, httplib::Response& response, std::exception_ptr exception) {
        answer_exception(response, exception);
      });
  server.set_error_handler(
      [](const httplib::Request&, httplib::Response& response) { complete_error(response); });
  server.set_post_routing_handler(
      [](const httplib::Request&, httplib::Response& response) { complete_headers(response); });
}

}  // namespace imgpress::gateway
