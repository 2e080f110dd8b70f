#include "api/handlers.hpp"
#include "http/body_reader.hpp"
#include "http/framing.hpp"
#include "log.hpp"

namespace imgpress::gateway {
namespace {

using httplib::Request;
using httplib::Response;
using HandlerResponse = httplib::Server::HandlerResponse;

// Every path, line ends included.
constexpr const char* kAnyPath = R"([\s\S]*)";

Error error_of(Service& service, const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const HttpError& error) {
    return error.error();
  } catch (const DatabaseError& error) {
    Error answer = database_error(error.sqlstate(), error.what(), error.hint());
    if (answer.code.status >= 500) {
      log_line("PostgreSQL: " + error.sqlstate() + ": " + error.what());
    }
    return answer;
  } catch (const PoolBusy& error) {
    return {kBusy, error.what()};
  } catch (const DatabaseUnavailable&) {
    return service.watch.last().problem.value_or(unreachable());
  } catch (const SpoolFull& error) {
    log_line(error.what());
    return {kBusy, "the gateway has no space for this at the moment"};
  } catch (const std::exception& error) {
    log_line(std::string("internal error: ") + error.what());
  } catch (...) {
    log_line("internal error");
  }
  return {kInternalError, "internal error"};
}

template <typename Work>
void answer(Service& service, Exchange& exchange, Work work) {
  try {
    work();
  } catch (...) {
    exchange.send_error(error_of(service, std::current_exception()));
  }
}

// Why the connection must be closed; no value if it need not be.
std::optional<Error> refuse(const Request& request) {
  auto error = refuse_framing(request);
  if (error && error->code == kLengthRequired) error->hint = curl_line(request);
  return error;
}

// Why the browser that has sent the request may not; no value if it may, or if it is no browser.
std::optional<Error> refuse_browser(Service& service, const Rules& rules, const Request& request) {
  const PublicUrl public_url = [&service] { return service.watch.last().public_url; };
  if (!rules.at_any_host) {
    if (auto error = refuse_host(request, service.browser, public_url)) {
      // Until the database was reached, the public URL is not known.
      auto problem = service.watch.last().problem;
      return error->code == kUnknownHost && problem ? problem : error;
    }
  }
  if (rules.for_any_site) return std::nullopt;
  return refuse_cross_site(request, service.browser, public_url);
}

// Why the path, the browser or the method is refused; no value if none is.
std::optional<Error> refuse_route(Service& service, const Route& route, Exchange& exchange) {
  if (route.resource == Resource::kUnknown) {
    return Error{kNotFound, "there is nothing at this path"};
  }
  const Rules rules = rules_of(route.resource);
  if (auto error = refuse_browser(service, rules, exchange.request())) return error;
  if (method_allowed(route.resource, exchange.request().method)) return std::nullopt;
  exchange.set_header("Allow", rules.methods);
  return Error{kMethodNotAllowed,
               exchange.request().method + " is not allowed here, only " + rules.methods};
}

void answer_get(Service& service, const Route& route, Exchange& exchange) {
  switch (route.resource) {
    case Resource::kPage:
      return answer_page(*route.page_file, exchange);
    case Resource::kHealth:
      return answer_health(service, exchange);
    case Resource::kStatus:
      return answer_status(service, route, exchange);
    case Resource::kProducts:
      return answer_products(service, route, exchange);
    case Resource::kImage:
      return answer_image(service, route, exchange);
    case Resource::kUpload:
    case Resource::kUnknown:
      break;
  }
}

// Why an upload is refused before its body is read: it would take space on the disk. No value if it
// is not, or if the request is no upload.
std::optional<Error> refuse_sender(Service& service, const Route& route, const Request& request) {
  if (route.resource != Resource::kUpload) return std::nullopt;
  try {
    admit(service, request, rules_of(route.resource).scope);
  } catch (...) {
    return error_of(service, std::current_exception());
  }
  return refuse_upload(service, request);
}

Exchange begin(Service& service, const Request& request, Response& response) {
  Exchange exchange(request, response, service.space, service.server.running_request());
  if (service.server.draining()) exchange.close_after();
  return exchange;
}

// Answers everything that has no body to read.
HandlerResponse answer_without_body(Service& service, const Request& request, Response& response) {
  Exchange exchange = begin(service, request, response);
  if (const auto error = refuse(request)) {
    exchange.close_after();
    exchange.send_error(*error);
    return HandlerResponse::Handled;
  }
  const Route route = parse_route(request.path);
  const bool is_upload = route.resource == Resource::kUpload && request.method == "POST";
  if (is_upload || has_body(request)) return HandlerResponse::Unhandled;
  const bool known = route.resource != Resource::kUnknown;
  if (known && is_preflight(request, service.browser)) {
    exchange.set_header("Access-Control-Allow-Methods", rules_of(route.resource).methods);
    response.status = 204;
  } else if (const auto error = refuse_route(service, route, exchange)) {
    exchange.send_error(*error);
  } else {
    answer(service, exchange, [&] { answer_get(service, route, exchange); });
  }
  return HandlerResponse::Handled;
}

void answer_with_body(Service& service, const Request& request, Response& response,
                      const httplib::ContentReader& reader) {
  Exchange exchange = begin(service, request, response);
  exchange.set_body_unread(has_body(request));
  const Route route = parse_route(request.path);
  auto error = refuse_route(service, route, exchange);
  if (!error) error = refuse_sender(service, route, request);
  if (error) {
    if (has_body(request)) BodyReader(exchange, reader).discard();
    return exchange.send_error(*error);
  }
  answer(service, exchange, [&] { answer_upload(service, exchange, reader); });
}

// 100 if the client may send its body.
int answer_expectation(Service& service, const Request& request, Response& response) {
  Exchange exchange = begin(service, request, response);
  const Route route = parse_route(request.path);
  auto error = refuse(request);
  if (!error) error = refuse_route(service, route, exchange);
  if (!error) error = refuse_sender(service, route, request);
  if (!error) return 100;
  exchange.close_after();  // the client may send the body all the same
  exchange.send_error(*error);
  return response.status;
}

// Errors that the library finds itself: it is not certain where the request ends.
void answer_library_error(Service& service, const Request& request, Response& response) {
  if (response.has_header("Content-Type")) return;  // one of ours
  Exchange exchange(request, response, service.space, nullptr);
  exchange.close_after();
  exchange.send_error(library_error(response.status));
}

}  // namespace

void install_routes(Service& service) {
  httplib::Server& server = service.server.library();
  const auto with_body = [&service](const Request& request, Response& response,
                                    const httplib::ContentReader& reader) {
    answer_with_body(service, request, response, reader);
  };
  server.Post(kAnyPath, with_body);
  server.Put(kAnyPath, with_body);
  server.Patch(kAnyPath, with_body);
  server.Delete(kAnyPath, with_body);
  server.set_pre_routing_handler([&service](const Request& request, Response& response) {
    return answer_without_body(service, request, response);
  });
  server.set_expect_100_continue_handler([&service](const Request& request, Response& response) {
    return answer_expectation(service, request, response);
  });
  server.set_error_handler([&service](const Request& request, Response& response) {
    answer_library_error(service, request, response);
  });
  server.set_post_routing_handler([&service](const Request& request, Response& response) {
    add_cors_headers(request, service.browser, response);
    complete_headers(response);
  });
}

}  // namespace imgpress::gateway
