// How much CPU time a smaller file is worth.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace imgpress {

enum class Effort : std::uint8_t {
  kFast = 0,      // as little time as possible
  kBalanced = 1,  // what costs next to nothing and gains something
  kSmall = 2,     // whatever pays, for files that are read far more often than made
};

// In the order of the numbers.
constexpr std::array<std::string_view, 3> kEffortNames = {"fast", "balanced", "small"};

constexpr std::string_view effort_name(Effort effort) {
  return kEffortNames[static_cast<std::size_t>(effort)];
}

// Nothing for any other word. Names are lower-case.
constexpr std::optional<Effort> parse_effort(std::string_view name) {
  for (std::size_t i = 0; i < kEffortNames.size(); ++i) {
    if (kEffortNames[i] == name) return static_cast<Effort>(i);
  }
  return std::nullopt;
}

}  // namespace imgpress
