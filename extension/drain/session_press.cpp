#include "drain/session_press.hpp"

#include <stdexcept>

namespace imgpress {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};

}  // namespace

void SessionPress::begin(Role role, const std::string& path, const wire::Message& request,
                         int attachment) {
  send_first(role, path, request, attachment);
  expect_answer(role);
}

void SessionPress::begin_fetch(const std::string& path, const wire::FetcherSettings& settings,
                               const wire::FetchRequest& request) {
  send_first(Role::kFetcher, path, settings, -1);
  fetcher_.socket().send(request);
  expect_answer(Role::kFetcher);
}

// One that has died since its last use shows at the first send: a fresh one gets the message.
void SessionPress::send_first(Role role, const std::string& path, const wire::Message& first,
                              int attachment) {
  abandon();
  forget_answer();
  PressProcess& press = press_of(role);
  auto sent = PacketSocket::Sent::kPeerGone;
  if (press.running()) sent = press.socket().send_within(kPatience, first, attachment);
  if (sent == PacketSocket::Sent::kPeerGone) {
    press = PressProcess::start(path, role);
    // If it ends at its start, poll() says so.
    sent = press.socket().send_within(kPatience, first, attachment);
  }
  if (sent == PacketSocket::Sent::kWouldBlock) {
    throw FaultError(Fault::kOutOfResources, "too many images are under way on this server");
  }
}

void SessionPress::expect_answer(Role role) {
  busy_ = true;
  busy_role_ = role;
  fd_ = press_of(role).socket().fd();
}

bool SessionPress::poll() {
  PressProcess& press = press_of(busy_role_);
  std::string wrong = "the imgpress-press process ended while it held this image";
  try {
    const auto received = press.socket().receive(answer_);
    if (received == PacketSocket::Received::kWouldBlock) return false;
    if (received == PacketSocket::Received::kPacket) {
      busy_ = false;
      return true;
    }
  } catch (const std::runtime_error& error) {
    wrong = std::string("the imgpress-press process broke the protocol: ") + error.what();
  }
  busy_ = false;
  if (press.stop()) {
    throw FaultError(Fault::kOutOfResources,
                     "the image needs more CPU time than imgpress.codec_timeout");
  }
  throw FaultError(Fault::kPressDied, wrong);
}

void SessionPress::stop() {
  fetcher_.stop();
  codec_.stop();
}

void SessionPress::abandon() {
  if (busy_) press_of(busy_role_).stop();
  busy_ = false;
}

}  // namespace imgpress
