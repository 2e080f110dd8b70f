#include "press/sandbox/landlock.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

#include "channel/unique_fd.hpp"
#include "core/rules/confinement.hpp"

namespace imgpress::press {
namespace {

// The kernel's interface (linux/landlock.h), whose headers may be older than the running kernel.
// An older kernel accepts the longer attributes as long as what it does not know is 0.
struct RulesetAttributes {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_ports = 0;
  std::uint64_t scopes = 0;
};

struct __attribute__((packed)) FileRule {
  std::uint64_t allowed = 0;
  std::int32_t fd = -1;
};

struct PortRule {
  std::uint64_t allowed = 0;
  std::uint64_t port = 0;
};

constexpr unsigned kAskForVersion = 1;
constexpr int kFileRule = 1;
constexpr int kPortRule = 2;

constexpr std::uint64_t kReadFile = 1 << 2;
constexpr std::uint64_t kFileRights1 = (1 << 13) - 1;
constexpr std::uint64_t kRefer = 1 << 13;     // ABI 2
constexpr std::uint64_t kTruncate = 1 << 14;  // ABI 3
constexpr std::uint64_t kIoctl = 1 << 15;     // ABI 5
constexpr std::uint64_t kBindTcp = 1 << 0;    // ABI 4
constexpr std::uint64_t kConnectTcp = 1 << 1;
constexpr std::uint64_t kScopes = 1 << 0 | 1 << 1;  // ABI 6: abstract sockets, signals

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

RulesetAttributes attributes(const LandlockRules& rules, int abi) {
  const auto version = static_cast<std::uint32_t>(abi);
  RulesetAttributes handled;
  handled.handled_files = kFileRights1;
  if (version >= 2) handled.handled_files |= kRefer;
  if (version >= kLandlockWithTruncate) handled.handled_files |= kTruncate;
  if (version >= kLandlockWithIoctl) handled.handled_files |= kIoctl;
  if (version >= kLandlockWithTcp) handled.handled_ports = kBindTcp;
  if (version >= kLandlockWithTcp && !rules.any_port) handled.handled_ports |= kConnectTcp;
  if (version >= kLandlockWithScopes) handled.scopes = kScopes;
  return handled;
}

void add_rule(int ruleset, int kind, const void* rule) {
  if (::syscall(SYS_landlock_add_rule, ruleset, kind, rule, 0U) != 0) fail("landlock_add_rule");
}

void allow_reading(int ruleset, const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!file) return;
  const FileRule rule{kReadFile, file.get()};
  add_rule(ruleset, kFileRule, &rule);
}

}  // namespace

int landlock_abi() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, kAskForVersion);
  if (version < 1) fail("landlock_create_ruleset");
  return static_cast<int>(version);
}

void restrict_by_landlock(const LandlockRules& rules, int abi) {
  const RulesetAttributes handled = attributes(rules, abi);
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0U)));
  if (!ruleset) fail("landlock_create_ruleset");
  for (const std::string& path : rules.readable_files) allow_reading(ruleset.get(), path);
  if ((handled.handled_ports & kConnectTcp) != 0) {
    for (const std::uint16_t port : rules.ports) {
      const PortRule rule{kConnectTcp, port};
      add_rule(ruleset.get(), kPortRule, &rule);
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0U) != 0) fail("landlock_restrict_self");
}

}  // namespace imgpress::press
