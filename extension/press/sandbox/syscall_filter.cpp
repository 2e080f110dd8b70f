#include "press/sandbox/syscall_filter.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cerrno>
#include <system_error>

namespace imgpress::press {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
// The x32 calls of the same architecture have numbers from here on.
constexpr std::uint32_t kForeignCalls = 0x40000000;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kForeignCalls = 0x80000000;
#else
#error "imgpress confines its helper processes on x86-64 and aarch64 only (little-endian)"
#endif

constexpr auto kNumberAt = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
constexpr auto kArchitectureAt = static_cast<std::uint32_t>(offsetof(seccomp_data, arch));

constexpr std::uint32_t argument_at(unsigned argument) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) +
                                    sizeof(std::uint64_t) * argument);
}

class Program {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void mask(std::uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
  // Skips this many of the next instructions when the comparison says so.
  void skip_unless_equal(std::uint32_t value, std::size_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count);
  }
  void skip_if_equal(std::uint32_t value, std::size_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0);
  }
  void skip_if_less(std::uint32_t value, std::size_t count) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, count);
  }
  void answer(int error) {
    add(BPF_RET | BPF_K, error == kAllowed ? SECCOMP_RET_ALLOW
                                           : SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
  }
  std::vector<sock_filter>& instructions() { return instructions_; }

 private:
  void add(unsigned code, std::uint32_t value, std::size_t if_true = 0, std::size_t if_false = 0) {
    instructions_.push_back({static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
                             static_cast<std::uint8_t>(if_false), value});
  }
  std::vector<sock_filter> instructions_;
};

void refuse_other_architectures(Program& program) {
  program.load(kArchitectureAt);
  program.skip_if_equal(kArchitecture, 1);
  program.answer(EPERM);
  program.load(kNumberAt);
  program.skip_if_less(kForeignCalls, 1);
  program.answer(EPERM);
}

// Finds and leaves the number of the call in the accumulator.
void add_rule(Program& program, const CallRule& rule) {
  constexpr std::size_t kPerTest = 3;  // load, mask, compare
  std::size_t tests = 0;
  for (const ArgumentTest& test : rule.tests) tests += test.mask != 0 ? 1 : 0;
  // Behind the answer of a rule with tests, the number is loaded again.
  const std::size_t rest = tests == 0 ? 1 : kPerTest * tests + 2;
  program.skip_unless_equal(static_cast<std::uint32_t>(rule.number), rest);
  std::size_t left = tests;
  for (const ArgumentTest& test : rule.tests) {
    if (test.mask == 0) continue;
    --left;
    program.load(argument_at(test.argument));
    program.mask(test.mask);
    program.skip_unless_equal(test.value, kPerTest * left + 1);
  }
  program.answer(rule.error);
  if (tests > 0) program.load(kNumberAt);
}

}  // namespace

void install_filter(const std::vector<CallRule>& rules, int error_of_others) {
  Program program;
  refuse_other_architectures(program);
  for (const CallRule& rule : rules) add_rule(program, rule);
  program.answer(error_of_others);
  auto& instructions = program.instructions();
  sock_fprog filter{static_cast<unsigned short>(instructions.size()), instructions.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    throw std::system_error(errno, std::generic_category(), "prctl(PR_SET_SECCOMP)");
  }
}

}  // namespace imgpress::press
