// The messages between a backend (or drainer) and its press processes.
//
// One message is one datagram of a SOCK_SEQPACKET socketpair, at most kMaxMessageBytes long. Image
// bytes never travel inside a message: they ride along as a sealed memfd (channel/packet_socket).
// Integers are little-endian. Both ends must be of the same version, as Ready tells.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/rules/fault.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/host_limits.hpp"
#include "core/rules/options.hpp"

namespace imgpress::wire {

constexpr std::size_t kMaxMessageBytes = std::size_t{128} * 1024;

// A peer sent something that is no message of this protocol.
class WireError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// From a press, before anything else: it has given up whatever it does not need and takes work from
// now on. Stays the first of all messages, so that one of another version can still be read.
struct Ready {
  std::string version;
  std::uint32_t pid = 0;
  std::vector<std::string> layers;  // of its confinement, as the kernel confirms them
};

// To the fetcher: first message after start, and again after a reload of the settings.
struct FetcherSettings {
  std::string allowed_networks;  // comma-separated CIDR list; validated by the sender
  HostLimits host_limits;
  std::string user_agent;
};

enum class Method : std::uint8_t { kGet = 0, kPost = 1 };

// To the fetcher. A GET follows redirects and returns the body; a POST (webhook) does neither.
struct FetchRequest {
  std::uint64_t id = 0;
  Method method = Method::kGet;
  std::string url;
  std::vector<std::string> headers;  // "Name: value", for a POST
  std::string body;                  // for a POST
  std::uint64_t max_bytes = 0;       // cap on the body that is received
  std::uint32_t timeout_ms = 0;      // whole transfer, counted from its dispatch
  std::uint32_t connect_timeout_ms = 0;
};

// From the fetcher. With fault kNone a GET's body comes along as a sealed memfd.
struct FetchReply {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  std::uint32_t http_status = 0;          // 0 when no response arrived
  std::uint32_t retry_after_seconds = 0;  // of the response; 0 when it named none
  std::string message;                    // why, for the user; empty on success
  bool postponed = false;                 // not fetched: the host has asked for a pause this long
};

// To a codec, with the source image as a sealed memfd.
struct CompressRequest {
  std::uint64_t id = 0;
  ImageOptions options;
  std::uint64_t max_pixels = 0;
  std::uint32_t cpu_seconds = 0;  // CPU time this one image may cost
};

// From a codec. With fault kNone the output image comes along as a sealed memfd.
struct CompressReply {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  ImageFormat format = ImageFormat::kJpeg;
  bool kept_source = false;  // output = source bytes (less metadata): nothing smaller
  std::uint32_t width = 0;   // pixels, as stored (before any EXIF orientation)
  std::uint32_t height = 0;
  std::string reason;         // why it failed
  std::string warning;        // what is remarkable about a success
  std::string digest;         // of the output, in hexadecimal: a hint for caches, no more
  std::uint32_t work_us = 0;  // microseconds that it has taken; a hint for planning, no more
};

using Message =
    std::variant<Ready, FetcherSettings, FetchRequest, FetchReply, CompressRequest, CompressReply>;

// Throws WireError when the encoded message would exceed kMaxMessageBytes.
std::string encode(const Message& message);

// Throws WireError on anything but exactly one well-formed message.
Message decode(std::string_view bytes);

}  // namespace imgpress::wire
