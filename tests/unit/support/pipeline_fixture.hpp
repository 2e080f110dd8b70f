// Settings and helpers for tests of the pipeline with real presses.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "drain/pipeline/pipeline.hpp"
#include "support/images/jpeg_files.hpp"
#include "support/real_press.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {

inline PipelineSettings pipeline_settings() {
  PipelineSettings settings;
  settings.press_path = press_path();
  settings.allowed_networks = "127.0.0.0/8";
  settings.host_limits.connections = 8;
  settings.max_image_bytes = 10'000'000;
  settings.max_pixels = 10'000'000;
  settings.connect_timeout_ms = 2'000;
  settings.fetch_timeout_ms = 8'000;
  settings.webhook_timeout_ms = 2'000;
  settings.codec_cpu_seconds = 10;
  settings.codecs = 2;
  return settings;
}

inline std::string photograph() {
  const auto bytes = press::fixtures::make_jpeg(press::fixtures::photograph(320, 240));
  return {bytes.begin(), bytes.end()};
}

// Of a child; empty once it has ended. Between its exec and its first instruction a process has
// none, and that is soon over.
inline std::string command_line(pid_t pid) {
  siginfo_t end{};
  do {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    std::string line((std::istreambuf_iterator<char>(file)), {});
    if (!line.empty()) return line;
  } while (::waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           end.si_pid == 0);
  return {};
}

// The running presses of this test with a role: "fetcher" or "codec".
inline std::vector<pid_t> presses(const std::string& role) {
  std::ifstream children("/proc/thread-self/children");
  std::vector<pid_t> found;
  for (pid_t pid = 0; children >> pid;) {
    if (command_line(pid).find(role) != std::string::npos) found.push_back(pid);
  }
  return found;
}

class PipelineTest : public testing::Test {
 protected:
  // Calls turn() until done() and collects the outcomes.
  template <typename Done>
  void turn_until(PressPipeline& pipeline, Done done) {
    const TimePoint limit = Clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (Clock::now() > limit)
        throw std::runtime_error("the pipeline does not do what the test waits for");
      pollfd ready{pipeline.wait_fd(), POLLIN, 0};
      const auto nap = std::chrono::ceil<std::chrono::milliseconds>(std::min<Clock::duration>(
          pipeline.deadline() - Clock::now(), std::chrono::milliseconds(50)));
      ::poll(&ready, 1, static_cast<int>(std::max<long>(nap.count(), 0)));
      pipeline.turn(Clock::now());
      for (ImageOutcome& outcome : pipeline.take_image_outcomes()) {
        outcomes_[outcome.key] = std::move(outcome);
      }
      for (DeliveryOutcome& outcome : pipeline.take_delivery_outcomes()) {
        deliveries_.push_back(std::move(outcome));
      }
    }
  }
  void turn_until_outcomes(PressPipeline& pipeline, std::size_t count) {
    turn_until(pipeline, [&] { return outcomes_.size() >= count; });
  }

  std::map<std::uint64_t, ImageOutcome> outcomes_;
  std::vector<DeliveryOutcome> deliveries_;
};

}  // namespace imgpress::test
