// The settings (GUCs) of imgpress. PostgreSQL writes them into plain variables; everybody else
// takes a snapshot with settings() and hands that on.
#pragma once

#include <cstdint>

namespace imgpress {

enum class OutputUrlStyle : int { kServed = 0, kSimulated = 1 };

// Strings belong to PostgreSQL and stay valid until the next reload of the settings.
struct Settings {
  const char* databases;
  const char* press_path;
  const char* allowed_networks;
  const char* public_url;
  const char* webhook_retry_delays;
  OutputUrlStyle output_url_style;
  int codecs;
  int window;
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

void define_settings();

}  // namespace imgpress
