#include "backend/worker/drainer_settings.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace imgpress {
namespace {

// Each image in flight holds a file descriptor, and there may be twice as many; half of the
// descriptors stay for PostgreSQL.
constexpr rlim_t kFilesPerImage = 4;

// What is set, or as many as the process may have files for. Most services start with a soft limit
// of 1024, for the sake of programs that use select().
int images_in_flight(const Settings& config) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return config.images_in_flight;
  const rlim_t wanted = kFilesPerImage * static_cast<rlim_t>(config.images_in_flight);
  const rlimit raised{std::max(files.rlim_cur, std::min(wanted, files.rlim_max)), files.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  return static_cast<int>(std::min(wanted, files.rlim_cur) / kFilesPerImage);
}

std::size_t codecs(const Settings& config) {
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<std::size_t>(config.codecs > 0 ? config.codecs : std::max(cores, 1L));
}

// From "5, 300, 1800" in seconds; the setting's check hook refuses anything but a list of numbers.
std::vector<std::int64_t> delays_ms(const char* list) {
  std::vector<std::int64_t> delays;
  for (const char* next = list;; ++next) {
    char* end = nullptr;
    delays.push_back(static_cast<std::int64_t>(1000 * std::strtod(next, &end)));
    next = end;
    while (*next == ' ') ++next;
    if (*next == '\0') return delays;
  }
}

}  // namespace

PipelineSettings pipeline_settings(const Settings& config, const char* press_path) {
  PipelineSettings made;
  static_cast<PressSettings&>(made) = press_settings(config, press_path);
  made.codecs = codecs(config);
  made.reports_hosts = true;
  made.memory_limit = std::uint64_t{1024} * 1024 * config.memory_limit_mb;
  return made;
}

DrainerSettings drainer_settings(const Settings& config, const char* press_path) {
  DrainerSettings made;
  made.pipeline = pipeline_settings(config, press_path);
  made.retry = {config.max_attempts, config.retry_base_delay_ms, config.retry_max_delay_ms};
  made.images_in_flight = images_in_flight(config);
  made.lease = Milliseconds(config.lease_ms);
  made.webhook_retry_delays_ms = delays_ms(config.webhook_retry_delays);
  return made;
}

}  // namespace imgpress
