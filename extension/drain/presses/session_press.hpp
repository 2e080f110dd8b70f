// The press of an ordinary session: one fetcher and one codec, started at first use and kept. The
// SQL functions wait on wait_fd() themselves, so that they stay cancellable.
#pragma once

#include <string>
#include <variant>

#include "drain/presses/codec_client.hpp"
#include "drain/presses/fetcher_client.hpp"

namespace imgpress {

class SessionPress {
 public:
  // Begin one piece of work. Work that was abandoned before (an error unwound its caller) costs its
  // press first. Nothing here waits.
  void begin_download(std::string url, const PressSettings& settings);
  void begin_compression(FetchedImage image, const PressSettings& settings);

  // True once what was begun has ended. Throws FaultError when it failed, or the press ended over
  // it; that is started anew at the next use. Throws std::system_error when none can be started.
  bool poll(TimePoint now);
  // Readable when poll() may find the answer; when poll() is to be called even if it is not.
  int wait_fd();
  TimePoint deadline() const;

  FetchedImage take_download() { return std::move(download_); }
  const ImageOutcome& compressed() const { return compressed_; }
  void forget_compressed() { compressed_ = {}; }  // frees its memory

  // Ends and reaps both processes. The session must not leave them to whoever adopts orphans: a
  // postmaster that runs as process 1 would take one for a crashed backend.
  void stop();
  // Ends the press that the open work went to: nobody wants its answer any more.
  void abandon();

 private:
  using Work = std::variant<std::monostate, std::string, FetchedImage>;  // nothing, a URL, an image

  void begin(Work work, const PressSettings& settings);
  bool is_download() const { return std::holds_alternative<std::string>(work_); }
  PacketSocket::Sent send(TimePoint now);
  void hand_over(TimePoint now);
  bool poll_download(TimePoint now);
  bool poll_compression(TimePoint now);

  FetcherClient fetcher_;
  CodecClient codec_;
  PressSettings settings_;
  Work work_;
  bool handed_over_ = false;
  TimePoint give_up_at_{};  // if it can't be handed over
  TimePoint try_again_at_{};
  FetchedImage download_;
  ImageOutcome compressed_;
};

}  // namespace imgpress
