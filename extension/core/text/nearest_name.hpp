// What to say about a name that is not known: which known one was probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgpress {

// The known name that differs least from `name`, ignoring case: at most half of its characters are
// missing, too many or wrong. Empty if none is that near. The first one wins a tie.
std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& known);

// `unknown option "qualty"; did you mean "quality"?`, or the list of all known names if none is
// near. `kind` is the noun for what the names stand for, here "option".
std::string unknown_name(std::string_view kind, std::string_view name,
                         const std::vector<std::string_view>& known);

}  // namespace imgpress
