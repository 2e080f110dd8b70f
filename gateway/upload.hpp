// POST /api/upload/
#pragma once

#include <httplib.h>

#include <cstdint>

#include "pool.hpp"

namespace imgpress::gateway {

// Reads the body to its end even if it is refused: some clients read no answer before they have
// sent everything. REQUIRES: refuse_upload() did not refuse the request.
void answer_upload(Pool& pool, std::uint64_t most_bytes, const httplib::Request& request,
                   httplib::Response& response, const httplib::ContentReader& read_body);

}  // namespace imgpress::gateway
