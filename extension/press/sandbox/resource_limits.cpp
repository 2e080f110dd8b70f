#include "press/sandbox/resource_limits.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace imgpress::press {
namespace {

// A transfer needs a socket and a memfd; hundreds run at once.
constexpr rlim_t kFetcherFiles = 8192;
// A codec opens only a few files. But the kernel also refuses to send a descriptor when more than
// this many, of all processes of the same user, are in flight.
constexpr rlim_t kCodecFiles = 8192;
// A codec has this share of its address space for an image that is not large, but enough for the
// program itself, its libraries and the memory that it keeps between images.
constexpr rlim_t kShareOfSmall = 4;
constexpr rlim_t kLeastForSmall = rlim_t{256} << 20;
// Applies to memfds too, so it cannot be 0. No image is longer than a bytea can be.
constexpr rlim_t kLargestFile = rlim_t{1} << 30;

[[noreturn]] void fail(const char* limit) {
  throw std::system_error(errno, std::generic_category(), limit);
}

// Sets the soft and the hard limit, but no higher than the present hard limit.
void set_limit(__rlimit_resource resource, rlim_t value, const char* name) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) fail(name);
  const rlim_t reachable = std::min(value, limit.rlim_max);
  limit = {reachable, reachable};
  if (::setrlimit(resource, &limit) != 0) fail(name);
}

rlim_t hard_limit(__rlimit_resource resource) {
  rlimit limit{};
  return ::getrlimit(resource, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
}

}  // namespace

void limit_press() {
  set_limit(RLIMIT_CORE, 0, "RLIMIT_CORE");
  set_limit(RLIMIT_FSIZE, kLargestFile, "RLIMIT_FSIZE");
}

void limit_fetcher() {
  set_limit(RLIMIT_NOFILE, kFetcherFiles, "RLIMIT_NOFILE");
}

void limit_codec([[maybe_unused]] std::uint64_t address_space) {
  set_limit(RLIMIT_NOFILE, kCodecFiles, "RLIMIT_NOFILE");
  set_limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC");
#ifndef __SANITIZE_ADDRESS__  // the sanitizer's shadow memory alone is larger
  set_limit(RLIMIT_AS, address_space, "RLIMIT_AS");
#endif
}

std::uint64_t limit_memory(bool to_part) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0) fail("RLIMIT_AS");
  const rlim_t part = std::max(limit.rlim_max / kShareOfSmall, kLeastForSmall);
  limit.rlim_cur =
      to_part && limit.rlim_max != RLIM_INFINITY ? std::min(part, limit.rlim_max) : limit.rlim_max;
  if (::setrlimit(RLIMIT_AS, &limit) != 0) fail("RLIMIT_AS");
  return limit.rlim_cur;
}

void limit_cpu(std::uint32_t seconds) {
  rusage usage{};
  rlimit limit{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) fail("getrusage");
  if (::getrlimit(RLIMIT_CPU, &limit) != 0) fail("RLIMIT_CPU");
  const auto microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  const auto used = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + microseconds / 1'000'000 + 1;
  limit.rlim_cur = std::min(static_cast<rlim_t>(used) + seconds, limit.rlim_max);
  if (::setrlimit(RLIMIT_CPU, &limit) != 0) fail("RLIMIT_CPU");
}

void note_limits(Confinement& confinement) {
  if (hard_limit(RLIMIT_NPROC) == 0) confinement.add(Layer::kNoProcesses);
  if (hard_limit(RLIMIT_AS) != RLIM_INFINITY) confinement.add(Layer::kMemoryLimit);
  if (hard_limit(RLIMIT_FSIZE) <= kLargestFile) confinement.add(Layer::kFileSizeLimit);
}

}  // namespace imgpress::press
