// The press of an ordinary session: one fetcher and one codec, started at first use and kept. The
// SQL functions wait on wait_fd() themselves, so that they stay cancellable.
#pragma once

#include <optional>
#include <string>

#include "drain/codec_client.hpp"
#include "drain/fetcher_client.hpp"

namespace imgpress {

class SessionPress {
 public:
  // Begin one piece of work, starting the press where it does not run; work that was abandoned
  // before (an error unwound its caller) costs its press first. Throw std::system_error when no
  // press can be started, FaultError where the server is too busy.
  void begin_download(const std::string& url, const PressSettings& settings);
  void begin_compression(FetchedImage image, const PressSettings& settings);

  // Readable when poll() may find the answer; when poll() is to be called even if it is not.
  int wait_fd();
  TimePoint deadline() const;

  // True once what was begun has ended. Throws FaultError when the press ended, or what it was
  // about failed; it is started anew at the next use.
  bool poll(TimePoint now);

  FetchedImage take_download() { return std::move(download_); }
  const ImageOutcome& compressed() const { return compressed_; }
  void forget_compressed() { compressed_ = {}; }  // frees its memory

  // Ends and reaps both processes. The session must not leave them to whoever adopts orphans: a
  // postmaster that runs as process 1 would take one for a crashed backend.
  void stop();
  // Ends the press that the open work went to: nobody wants its answer any more.
  void abandon();

 private:
  enum class Busy { kNo, kDownload, kCompression };

  bool poll_download(TimePoint now);
  bool poll_compression(TimePoint now);

  FetcherClient fetcher_;
  CodecClient codec_;
  Busy busy_ = Busy::kNo;
  FetchedImage download_;
  ImageOutcome compressed_;
};

}  // namespace imgpress
