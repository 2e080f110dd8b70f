// The presses of an ordinary session: one fetcher and one codec, started at first use and kept. The
// SQL functions wait for wait_fd() themselves, so that they can be cancelled.
#pragma once

#include <string>
#include <variant>

#include "drain/presses/codec_client.hpp"
#include "drain/presses/fetcher_client.hpp"

namespace imgpress {

class SessionPress {
 public:
  // Begin one download or compression, without waiting for it. If an earlier one was abandoned (its
  // caller left with an error), its press is ended first.
  void begin_download(Download download, const PressSettings& settings);
  void begin_compression(FetchedImage image, const PressSettings& settings);

  // True once the work has ended. Throws FaultError when it failed or its press ended; the next use
  // starts a new press. Throws std::system_error when the press cannot be started.
  bool poll(TimePoint now);
  int wait_fd();               // readable when poll() may find the answer
  TimePoint deadline() const;  // when to call poll() even if it is not readable

  FetchedImage take_download() { return std::move(download_); }
  const ImageOutcome& compressed() const { return compressed_; }
  void forget_compressed() { compressed_ = {}; }  // frees its memory

  // Ends and reaps both processes. They must not become orphans: a postmaster that runs as process
  // 1 adopts them and would take one that ends for a crashed backend.
  void stop();
  // Ends the press that has the current work, whose answer is no longer wanted.
  void abandon();

 private:
  using Work = std::variant<std::monostate, Download, FetchedImage>;

  void begin(Work work, const PressSettings& settings);
  bool is_download() const { return std::holds_alternative<Download>(work_); }
  template <typename Client>
  static void end_unless_silent(Client& press, TimePoint now);
  PacketSocket::Sent send(TimePoint now);
  void try_to_send(TimePoint now);
  bool poll_download(TimePoint now);
  bool poll_compression(TimePoint now);

  FetcherClient fetcher_;
  CodecClient codec_;
  PressSettings settings_;
  Work work_;
  bool sent_ = false;
  TimePoint give_up_at_{};  // if the work cannot be sent until then
  TimePoint try_again_at_{};
  FetchedImage download_;
  ImageOutcome compressed_;
};

}  // namespace imgpress
