// The settings (GUCs) of imgpress. PostgreSQL writes them into plain variables; all other code
// takes a copy with settings() and passes it on.
#pragma once

#include "core/rules/options.hpp"
#include "drain/presses/press_settings.hpp"

namespace imgpress {

// What a press does where the kernel does not offer a layer of its confinement.
enum class Sandbox : int { kRequired = 0, kBestEffort = 1 };

enum class OutputUrlStyle : int { kServed = 0, kSimulated = 1 };

// The strings belong to PostgreSQL and are valid until the settings are reloaded.
struct Settings {
  char* databases;
  char* press_path;
  int sandbox;  // a Sandbox, as PostgreSQL stores it
  char* allowed_networks;
  char* user_agent;
  char* request_headers;
  char* public_url;
  char* webhook_retry_delays;
  int output_url_style;  // an OutputUrlStyle, as PostgreSQL stores it
  bool signed_urls;
  int signed_url_lifetime_s;
  ImageOptions options;
  int codecs;
  int images_in_flight;
  int priority;  // read by SQL only
  int memory_limit_mb;
  HostLimits host_limits;
  ImageLimits image_limits;
  int max_attempts;
  int retry_base_delay_ms;
  int retry_max_delay_ms;
  int lease_ms;
};

Settings settings();

// The part of the settings that a press needs. `path` is that of its executable. Call it inside
// guard() (bridge/boundary.hpp).
PressSettings press_settings(const Settings& config, const char* path);

void define_settings();

}  // namespace imgpress
