// One function for each resource: each calls SQL and answers with the result. They throw HttpError,
// DatabaseError, DatabaseUnavailable and SpoolFull.
#pragma once

#include <httplib.h>

#include "http/exchange.hpp"
#include "api/route.hpp"
#include "api/service.hpp"

namespace imgpress::gateway {

void answer_page(std::string_view path, Exchange& exchange);
void answer_health(Service& service, Exchange& exchange);
void answer_status(Service& service, const Route& route, Exchange& exchange);
void answer_products(Service& service, const Route& route, Exchange& exchange);
void answer_image(Service& service, const Route& route, Exchange& exchange);

// Why an upload is refused before its body is read; no value if it is not.
std::optional<Error> refuse_upload(const Service& service, const httplib::Request& request);
void answer_upload(Service& service, Exchange& exchange, const httplib::ContentReader& reader);

}  // namespace imgpress::gateway
