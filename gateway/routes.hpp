// Connects resources with the functions that answer them.
#pragma once

#include <httplib.h>

#include <cstdint>

#include "pool.hpp"

namespace imgpress::gateway {

// The pool must outlive the server.
void install_routes(httplib::Server& server, Pool& pool, std::uint64_t max_upload_bytes);

}  // namespace imgpress::gateway
