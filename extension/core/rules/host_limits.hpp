// The limits that protect one host from too much load. A limit is written here and where the
// fetcher obeys it: its setting (imgpress.<name>) and its place in the message to the fetcher
// follow from the table.
#pragma once

#include "core/rules/number_field.hpp"

namespace imgpress {

// The initial values are the defaults.
struct HostLimits {
  int connections = 64;
};

using HostLimit = NumberField<HostLimits>;

// Calls visit(limit) for each one.
template <typename Visit>
constexpr void visit_host_limits(Visit&& visit) {
  visit(HostLimit{"connections_per_host", &HostLimits::connections, 1, 1024,
                  "Limit on simultaneous connections to one host."});
}

}  // namespace imgpress
