// What confines a press, and what stays open nevertheless. A press reports it, its owner and the
// view imgpress.presses show it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace imgpress {

// The layers of a press's confinement, as bits.
enum class Layer : std::uint8_t {
  kNoNewPrivs,     // it can gain no rights by running another program
  kUndumpable,     // no process of its user can look into it
  kLandlock,       // files, TCP ports, signals: by the kernel's Landlock
  kSeccomp,        // only the system calls that it needs
  kNoProcesses,    // RLIMIT_NPROC
  kMemoryLimit,    // RLIMIT_AS
  kFileSizeLimit,  // RLIMIT_FSIZE
};

// The versions ("ABI") of Landlock that first limit something.
constexpr std::uint32_t kLandlockWithTruncate = 3;
constexpr std::uint32_t kLandlockWithTcp = 4;
constexpr std::uint32_t kLandlockWithIoctl = 5;
constexpr std::uint32_t kLandlockWithScopes = 6;

struct Confinement {
  std::uint32_t layers = 0;        // bits by Layer
  std::uint32_t landlock_abi = 0;  // 0: no Landlock
  bool reaches_network = false;    // a fetcher
  bool reaches_any_port = false;   // imgpress.allowed_networks names networks

  constexpr void add(Layer layer) { layers |= bit(layer); }
  constexpr void remove(Layer layer) { layers &= ~bit(layer); }
  constexpr bool has(Layer layer) const { return (layers & bit(layer)) != 0; }

 private:
  static constexpr std::uint32_t bit(Layer layer) {
    return std::uint32_t{1} << static_cast<unsigned>(layer);
  }
};

// "no_new_privs", "landlock (ABI 4)", ...
std::vector<std::string> names_of_layers(const Confinement& confinement);

// What the layers do not stop, each as a phrase for the user.
std::vector<std::string> left_open(const Confinement& confinement);

}  // namespace imgpress
