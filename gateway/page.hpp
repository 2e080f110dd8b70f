// The page at /: drop a CSV, watch its status, follow its results.
#pragma once

#include <httplib.h>

namespace imgpress::gateway {

void answer_page(httplib::Response& response);

}  // namespace imgpress::gateway
