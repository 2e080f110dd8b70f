#include "backend/presses/press_register.hpp"

#include <atomic>

extern "C" {
#include "miscadmin.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
}

namespace imgpress {
namespace {

// Of the workers. One that finds no free slot runs all the same, and the view does not show it.
constexpr int kSlotsOfWorkers = 2048;
constexpr int kSlotsOfASession = 4;  // a fetcher, a former one or two, and a codec

constexpr int kFree = 0;
constexpr int kBeingWritten = -1;

struct Slot {
  std::atomic<int> pid;  // or one of the above
  RegisteredPress press;
  std::atomic<bool> is_confined;  // press.confinement is valid
};

Slot* slots = nullptr;  // press_register_size() of them

Size memory_size() {
  return mul_size(static_cast<Size>(press_register_size()), sizeof(Slot));
}

class Register final : public PressObserver {
 public:
  void started(pid_t press, bool is_fetcher) noexcept override {
    Slot* slot = take(kFree, kBeingWritten);
    if (slot == nullptr) return;
    slot->press = {press,
                   is_fetcher,
                   MyProcPid,
                   MyBackendType == B_BG_WORKER,
                   MyProc->roleId,
                   MyDatabaseId,
                   GetCurrentTimestamp(),
                   false,
                   {}};
    slot->is_confined.store(false);
    slot->pid.store(press);
  }

  void confined(pid_t press, const Confinement& confinement) noexcept override {
    for (Slot* slot = slots; slot < slots + press_register_size(); ++slot) {
      if (slot->pid.load() != press) continue;
      slot->press.confinement = confinement;
      slot->is_confined.store(true);
    }
  }

  void ended(pid_t press) noexcept override { take(press, kFree); }

 private:
  // The first slot that has one value gets the other.
  static Slot* take(int from, int to) {
    for (Slot* slot = slots; slot < slots + press_register_size(); ++slot) {
      int expected = from;
      if (slot->pid.compare_exchange_strong(expected, to)) return slot;
    }
    return nullptr;
  }
};

}  // namespace

int press_register_size() {
  return kSlotsOfWorkers + kSlotsOfASession * MaxBackends;
}

void request_press_register() {
  RequestAddinShmemSpace(memory_size());
}

void create_press_register() {
  bool found = false;
  slots = static_cast<Slot*>(ShmemInitStruct("imgpress presses", memory_size(), &found));
  if (!found) MemSet(static_cast<void*>(slots), 0, memory_size());
}

PressObserver* press_register() {
  static Register instance;
  return slots != nullptr ? &instance : nullptr;
}

int read_press_register(RegisteredPress* presses, int most) {
  int count = 0;
  if (slots == nullptr) return 0;
  for (const Slot* slot = slots; slot < slots + press_register_size() && count < most; ++slot) {
    const int pid = slot->pid.load();
    if (pid <= 0) continue;
    RegisteredPress& copy = presses[count];
    copy = slot->press;
    copy.is_confined = slot->is_confined.load();
    // Freed, and perhaps taken again, while it was read.
    if (slot->pid.load() == pid && copy.pid == pid) ++count;
  }
  return count;
}

}  // namespace imgpress
