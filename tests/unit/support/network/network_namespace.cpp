#include "support/network/network_namespace.hpp"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "channel/unique_fd.hpp"
#include "core/net/address.hpp"

namespace imgpress::test {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void bring_up_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) fail("bring up lo");
}

struct AddressMessage {
  nlmsghdr header{};
  ifaddrmsg body{};
  rtattr attribute{};
  std::array<std::uint8_t, 16> bytes{};
};

void change_address(const std::string& text, std::uint16_t kind, std::uint16_t flags) {
  const IpAddress address = *IpAddress::parse(text);
  const std::size_t size = address.is_v6 ? 16 : 4;
  AddressMessage message;
  message.header.nlmsg_len = static_cast<std::uint32_t>(offsetof(AddressMessage, bytes) + size);
  message.header.nlmsg_type = kind;
  message.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  message.body.ifa_family = address.is_v6 ? AF_INET6 : AF_INET;
  message.body.ifa_prefixlen = static_cast<std::uint8_t>(8 * size);
  message.body.ifa_flags = IFA_F_NODAD;  // an IPv6 address is usable at once
  message.body.ifa_index = ::if_nametoindex("lo");
  message.attribute.rta_type = IFA_LOCAL;
  message.attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
  message.bytes = address.bytes;
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (::send(socket.get(), &message, message.header.nlmsg_len, 0) < 0) fail("send");
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } answer{};
  if (::recv(socket.get(), &answer, sizeof answer, 0) < 0) fail("recv");
  if (answer.error.error != 0) {
    errno = -answer.error.error;
    fail(text.c_str());
  }
}

}  // namespace

void run_in_network_namespace(const std::function<void()>& body) {
  bool allowed = true;
  std::exception_ptr failure;
  std::thread([&] {
    try {
      allowed = ::unshare(CLONE_NEWNET) == 0;
      if (!allowed) return;
      bring_up_loopback();
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  if (!allowed) GTEST_SKIP() << "only root may make a network namespace";
}

void add_address(const std::string& address) {
  change_address(address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
}

void remove_address(const std::string& address) {
  change_address(address, RTM_DELADDR, 0);
}

void write_kernel_setting(const std::string& path, const std::string& value) {
  std::ofstream file("/proc/sys/" + path);
  if (!(file << value << std::flush)) throw std::runtime_error("cannot set " + path);
}

}  // namespace imgpress::test
