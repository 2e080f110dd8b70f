// POST /api/upload/
#pragma once

#include <httplib.h>

#include <cstdint>

#include "pool.hpp"

namespace imgpress::gateway {

// Reads the body to its end whatever is wrong with it, so that every client, also one that does not
// listen while it sends, gets its answer. REQUIRES: refuse_upload() had nothing against it.
void answer_upload(Pool& pool, std::uint64_t most_bytes, const httplib::Request& request,
                   httplib::Response& response, const httplib::ContentReader& read_body);

}  // namespace imgpress::gateway
