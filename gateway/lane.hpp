// Which requests may hold a thread for as long as their client is slow, and which are served
// together.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace imgpress::gateway {

enum class Lane {
  kUpload,    // reads a body
  kDownload,  // may write more than the kernel takes at once
  kStatus,    // asks for a status: those that wait share a round trip to the database
  kQuick,     // takes as long as the database: health, the page, refusals
};
constexpr std::size_t kLanes = 4;

// Looks at what the client sent before anything is decoded: what is not plainly quick is not.
Lane lane_of(std::string_view method, std::string_view target);

// REQUIRES: the target belongs to Lane::kStatus.
std::string request_id_in(std::string_view target);

}  // namespace imgpress::gateway
