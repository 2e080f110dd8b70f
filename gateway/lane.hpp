// Sorts requests into lanes: those that keep a thread busy while their client is slow, those that
// are served together, and quick ones.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace imgpress::gateway {

enum class Lane {
  kUpload,    // reads a body: as slow as the client
  kDownload,  // may write more than fits into the socket buffer: as slow as the client
  kStatus,    // statuses that wait share one round trip to the database
  kQuick,     // as slow as the database: health, the page, refusals
};
constexpr std::size_t kLanes = 4;

// Judges the target as sent, before it is decoded: what is not clearly quick counts as slow.
Lane lane_of(std::string_view method, std::string_view target);

// REQUIRES: the target belongs to Lane::kStatus.
std::string request_id_in(std::string_view target);

}  // namespace imgpress::gateway
