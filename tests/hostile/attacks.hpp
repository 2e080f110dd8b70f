// What an exploited press might try, one by one. Each attack is a system call of its own, past the
// C library, and returns 0 when it succeeded, or else the error.
#pragma once

#include <map>
#include <string>

namespace imgpress::hostile {

// The argument is a path, a process id or a port, as the attack needs.
using Attack = int (*)(const std::string& argument);
using Attacks = std::map<std::string, Attack>;

void add_attacks_on_files(Attacks& attacks);
void add_attacks_on_the_network(Attacks& attacks);
void add_attacks_on_the_kernel(Attacks& attacks);
void add_attacks_on_processes(Attacks& attacks);

// To be called before the confinement. A kernel or hypervisor without the calls of i386 answers
// them with a signal, which an attack takes for ENOSYS from then on.
void survive_missing_calls();

// 0 or errno, from what a system call returned. Descriptors that it returned stay open.
int error_of(long result);

}  // namespace imgpress::hostile
