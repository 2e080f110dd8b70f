#include "core/rules/confinement.hpp"

#include <array>
#include <cstddef>

namespace imgpress {
namespace {

constexpr std::array kNames = {"no_new_privs", "undumpable",   "landlock",       "seccomp",
                               "no_processes", "memory_limit", "file_size_limit"};

}  // namespace

std::vector<std::string> names_of_layers(const Confinement& confinement) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const auto layer = static_cast<Layer>(i);
    if (!confinement.has(layer)) continue;
    names.emplace_back(kNames[i]);
    if (layer == Layer::kLandlock) {
      names.back() += " (ABI " + std::to_string(confinement.landlock_abi) + ")";
    }
  }
  return names;
}

std::vector<std::string> left_open(const Confinement& confinement) {
  std::vector<std::string> open;
  const bool landlock = confinement.has(Layer::kLandlock);
  if (!landlock) open.emplace_back("files: Landlock is missing");
  if (!confinement.has(Layer::kSeccomp)) {
    open.emplace_back(
        "all system calls, so that it may signal PostgreSQL and connect to its socket: the seccomp "
        "filter is missing");
  }
  if (!confinement.reaches_network) return open;
  if (!landlock) {
    open.emplace_back("TCP to any port: Landlock is missing");
  } else if (confinement.landlock_abi < kLandlockWithTcp) {
    open.emplace_back("TCP to any port: Landlock ABI " + std::to_string(confinement.landlock_abi) +
                      " of this kernel cannot limit it, Linux 6.7 and later can");
  } else if (confinement.reaches_any_port) {
    open.emplace_back("TCP to any port: imgpress.allowed_networks allows every port of a network");
  } else {
    open.emplace_back("TCP to the ports 53, 80 and 443 of any address");
  }
  open.emplace_back("UDP to any address");
  return open;
}

}  // namespace imgpress
