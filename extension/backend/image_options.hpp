// The options of an image (core/rules/options) as SQL has them: arguments, JSON, settings.
#pragma once

#include "core/rules/options.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// The options that a function takes as its arguments from number `first` on, in the table's order;
// NULL, and an argument that an earlier version of the function does not have, is the setting.
// Refuses a value that the option does not allow.
ImageOptions options_of_arguments(FunctionCallInfo fcinfo, int first);

// What to do about a member of a JSON object that is no option.
enum class UnknownOption { kRefuse, kIgnore };

// The options of a JSON object; a missing or null member is the setting.
ImageOptions options_of_json(Datum jsonb, UnknownOption unknown);

}  // namespace imgpress
