// A network of its own for a test, with addresses that come and go.
#pragma once

#include <functional>
#include <string>

namespace imgpress::test {

// Runs `body` in a new thread, whose only network interface is a loopback of its own; processes
// that it starts are in that network, too. Skips the test where the kernel allows no such network.
void run_in_network_namespace(const std::function<void()>& body);

// Within `body`: gives the loopback interface an address, which is then one of the machine's.
void add_address(const std::string& address);
void remove_address(const std::string& address);

// "net/ipv4/..." below /proc/sys.
void write_kernel_setting(const std::string& path, const std::string& value);

}  // namespace imgpress::test
