// For tests of the clients of a press: settings, images, and how to wait for an answer.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "channel/sealed_memory.hpp"
#include "drain/presses/press_client.hpp"

namespace imgpress::test {

// A link to imgpress-bad-press whose name says how it is to misbehave.
class BadPress {
 public:
  explicit BadPress(const std::string& misbehaviour)
      : folder_(std::filesystem::temp_directory_path() /
                ("bad-press-" + std::to_string(::getpid()))),
        link_(folder_ / misbehaviour) {
    std::filesystem::create_directories(folder_);
    std::filesystem::create_symlink(IMGPRESS_BAD_PRESS_PATH, link_);
  }
  ~BadPress() { std::filesystem::remove_all(folder_); }
  BadPress(const BadPress&) = delete;
  BadPress& operator=(const BadPress&) = delete;
  std::string path() const { return link_.string(); }

 private:
  std::filesystem::path folder_;
  std::filesystem::path link_;
};

inline PressSettings settings_with(const std::string& path) {
  PressSettings settings;
  settings.press_path = path;
  settings.allowed_networks = "127.0.0.0/8";
  settings.max_image_bytes = 1'000'000;
  settings.max_pixels = 1'000'000;
  settings.connect_timeout_ms = 2'000;
  settings.fetch_timeout_ms = 8'000;
  settings.codec_cpu_seconds = 10;
  return settings;
}

inline FetchedImage image(std::uint64_t key, const std::string& bytes = "no image at all") {
  FetchedImage fetched;
  fetched.task.key = key;
  fetched.source =
      make_sealed("test", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  fetched.source_bytes = bytes.size();
  return fetched;
}

template <typename Client>
void wait_readable(Client& client) {
  pollfd ready{client.fd(), POLLIN, 0};
  if (::poll(&ready, 1, 10'000) != 1) throw std::runtime_error("the press does not answer");
}

template <typename Client>
auto next_answer(Client& client) {
  for (;;) {
    if (auto answer = client.receive(Clock::now())) return *std::move(answer);
    wait_readable(client);
  }
}

template <typename Client>
PressEnd next_end(Client& client) {
  try {
    next_answer(client);
  } catch (const PressEnded& ended) {
    EXPECT_FALSE(client.ready());
    return ended.why();
  }
  throw std::runtime_error("the client accepts the answer");
}

}  // namespace imgpress::test
