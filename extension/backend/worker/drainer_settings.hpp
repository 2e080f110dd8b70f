// The settings of the drainer in a background worker.
#pragma once

#include "drain/drainer.hpp"

#include "backend/settings.hpp"

namespace imgpress {

// `press_path`: of the executable. Call both inside guard() (bridge/boundary.hpp).
PipelineSettings pipeline_settings(const Settings& config, const char* press_path);

// Raises the soft limit of open files of this process, as far as the images in flight need it.
DrainerSettings drainer_settings(const Settings& config, const char* press_path);

}  // namespace imgpress
