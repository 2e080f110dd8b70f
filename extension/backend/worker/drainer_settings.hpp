// The settings of the drainer in a background worker.
#pragma once

#include "drain/drainer.hpp"

#include "backend/settings.hpp"

namespace imgpress {

// `press_path`: of the executable. Call it inside guard() (bridge/boundary.hpp).
DrainerSettings drainer_settings(const Settings& config, const char* press_path);

}  // namespace imgpress
