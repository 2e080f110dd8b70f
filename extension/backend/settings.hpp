// The settings (GUCs) of imgpress. PostgreSQL writes them into plain variables; everybody else
// takes a snapshot with settings() and hands that on.
#pragma once

#include "core/rules/options.hpp"
#include "drain/presses/pipeline_types.hpp"

namespace imgpress {

enum class OutputUrlStyle : int { kServed = 0, kSimulated = 1 };

// Strings belong to PostgreSQL and stay valid until the next reload of the settings.
struct Settings {
  char* databases;
  char* press_path;
  char* allowed_networks;
  char* public_url;
  char* webhook_retry_delays;
  int output_url_style;  // an OutputUrlStyle, as PostgreSQL stores it
  ImageOptions options;
  int codecs;
  int images_in_flight;
  int connections_per_host;
  int max_image_bytes;
  int max_pixels;
  int connect_timeout_ms;
  int fetch_timeout_ms;
  int codec_cpu_seconds;
  int webhook_timeout_ms;
  int max_attempts;
  int retry_base_delay_ms;
  int retry_max_delay_ms;
  int lease_ms;
};

Settings settings();

// What a press is to know of them. `path`: of the executable. C++ zone.
PressSettings press_settings(const Settings& config, const char* path);

void define_settings();

}  // namespace imgpress
