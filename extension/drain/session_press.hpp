// The press of an ordinary session: one fetcher and one codec, started at first use and kept. Free
// of PostgreSQL: the SQL functions wait on wait_fd() themselves, so that they stay cancellable.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "drain/press_process.hpp"
#include "channel/packet_socket.hpp"
#include "core/wire.hpp"

namespace imgpress {

class SessionPress {
 public:
  using Role = PressProcess::Role;

  // Sends one request, starting the press where it does not run; a request that was abandoned
  // before (an error unwound its caller) costs its press first. The press reports `attachment`, if
  // any, as its image. Throws std::system_error when no press can be started.
  void begin(Role role, const std::string& path, const wire::Message& request, int attachment);

  // Likewise for a download; the fetcher gets the settings first.
  void begin_fetch(const std::string& path, const wire::FetcherSettings& settings,
                   const wire::FetchRequest& request);

  // Readable when poll() may find the answer.
  int wait_fd() const { return fd_; }

  // True when reply() and attachment() hold the answer. Throws FaultError when the press died or
  // broke the protocol; it is started anew at the next use.
  bool poll();
  const wire::Message& reply() const { return answer_.message; }
  int attachment() const { return answer_.attachment.get(); }
  UniqueFd take_attachment() { return std::move(answer_.attachment); }

  // Frees the answer's memory.
  void forget_answer() { answer_ = {}; }
  // Ends and reaps both processes. The session must not leave them to whoever adopts orphans: a
  // postmaster that runs as process 1 would take one for a crashed backend.
  void stop();
  // Ends the press that the open request went to: nobody wants its answer any more.
  void abandon();

 private:
  void send_first(Role role, const std::string& path, const wire::Message& first, int attachment);
  void expect_answer(Role role);
  PressProcess& press_of(Role role) { return role == Role::kFetcher ? fetcher_ : codec_; }

  PressProcess fetcher_;
  PressProcess codec_;
  Packet answer_;
  bool busy_ = false;
  Role busy_role_ = Role::kCodec;
  int fd_ = -1;
};

}  // namespace imgpress
