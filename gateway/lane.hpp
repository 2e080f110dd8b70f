// Which requests may hold a thread for as long as their client is slow.
#pragma once

#include <cstddef>
#include <string_view>

namespace imgpress::gateway {

enum class Lane {
  kUpload,    // reads a body
  kDownload,  // may write more than the kernel takes at once
  kQuick,     // takes as long as the database: health, status, the page, refusals
};
constexpr std::size_t kLanes = 3;

// Looks at what the client sent before anything is decoded: what is not plainly quick is not.
Lane lane_of(std::string_view method, std::string_view target);

}  // namespace imgpress::gateway
