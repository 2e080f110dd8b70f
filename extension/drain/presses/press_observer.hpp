// Is told which presses run: implemented by the owner's process, which shows them to users.
#pragma once

#include <sys/types.h>

#include "core/rules/confinement.hpp"

namespace imgpress {

class PressObserver {
 public:
  virtual ~PressObserver() = default;
  virtual void started(pid_t press, bool is_fetcher) noexcept = 0;
  virtual void confined(pid_t press, const Confinement& confinement) noexcept = 0;
  virtual void ended(pid_t press) noexcept = 0;
};

}  // namespace imgpress
