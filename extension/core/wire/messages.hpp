// The messages between a press and its owner (a backend or a drainer).
//
// To add a message: a struct with its fields() here, and its name in Message. Image bytes are not
// part of a message: they are attached to it as a sealed memfd (channel/packet_socket).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/rules/confinement.hpp"
#include "core/rules/fault.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/host_limits.hpp"
#include "core/rules/host_rule.hpp"
#include "core/rules/host_state.hpp"
#include "core/rules/options.hpp"

namespace imgpress::wire {

// The first message of a press. Stays the first of all messages and has the same fields in each
// version, so that an owner of another version can read it.
struct Ready {
  std::string version;
  std::uint32_t pid = 0;
  std::vector<std::string> layers;  // the names of those of its confinement

  static auto fields() { return std::make_tuple(&Ready::version, &Ready::pid, &Ready::layers); }
};

// The second message of a press: how it is confined.
struct Confined {
  Confinement confinement;
  // Stamps (channel/file_stamp.hpp) of the files that it may read. When one is not current any
  // more, this press cannot see the new one.
  std::vector<std::string> files;

  static auto fields() { return std::make_tuple(&Confined::confinement, &Confined::files); }
};

// Instead of it: this press cannot be confined as it must be, and ends.
struct Unconfined {
  std::string reason;  // for the user, with the remedy

  static auto fields() { return std::make_tuple(&Unconfined::reason); }
};

// To the fetcher: the first message, and again whenever the settings change.
struct FetcherSettings {
  std::string allowed_networks;  // comma-separated CIDR list; validated by the sender
  HostLimits host_limits;
  std::string user_agent;
  std::vector<std::string> headers;  // "Name: value", of each download
  bool reports_hosts = false;        // its owner wants HostStates

  static auto fields() {
    using M = FetcherSettings;
    return std::make_tuple(&M::allowed_networks, &M::host_limits, &M::user_agent, &M::headers,
                           &M::reports_hosts);
  }
};

// To the fetcher: rules for hosts, in parts that are short enough for a message. The first part
// replaces all earlier ones.
struct HostRules {
  bool is_first = true;
  std::vector<HostRule> rules;

  static auto fields() { return std::make_tuple(&HostRules::is_first, &HostRules::rules); }
};

enum class Method : std::uint8_t { kGet, kPost };
constexpr std::size_t count_of(Method) {
  return static_cast<std::size_t>(Method::kPost) + 1;
}

// To the fetcher. A GET follows redirects and returns the body; a POST (webhook) does neither.
struct FetchRequest {
  std::uint64_t id = 0;
  Method method = Method::kGet;
  std::string url;
  // "Name: value". Of a GET they are secrets of the origin: sent over https only, and not after a
  // redirect.
  std::vector<std::string> headers;
  std::string body;              // for a POST
  std::uint64_t max_bytes = 0;   // limit for the body of the response
  std::uint32_t timeout_ms = 0;  // for the whole transfer, from its start
  std::uint32_t connect_timeout_ms = 0;
  // For a GET, of what the owner has already: nothing is downloaded if it has not changed.
  std::string etag;
  std::string last_modified;

  static auto fields() {
    using M = FetchRequest;
    return std::make_tuple(&M::id, &M::method, &M::url, &M::headers, &M::body, &M::max_bytes,
                           &M::timeout_ms, &M::connect_timeout_ms, &M::etag, &M::last_modified);
  }
};

// From the fetcher. After a successful GET the body is attached, unless it is not modified.
struct FetchReply {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  std::uint32_t http_status = 0;          // 0 if there was no response
  std::uint32_t retry_after_seconds = 0;  // from the response; 0 if it has none
  std::string message;                    // the reason, for the user; empty on success
  bool postponed = false;                 // not fetched: the host has asked for a pause this long
  bool not_modified = false;              // it is still what the request's validators stand for
  std::string digest;                     // of a body: SHA-256, 32 bytes
  std::string etag;                       // of a body, to ask for it again; empty: not usable
  std::string last_modified;              // likewise

  static auto fields() {
    using M = FetchReply;
    return std::make_tuple(&M::id, &M::fault, &M::http_status, &M::retry_after_seconds, &M::message,
                           &M::postponed, &M::not_modified, &M::digest, &M::etag,
                           &M::last_modified);
  }
};

// To the fetcher: how much memory the images of its owner may still take. Replaces the earlier one.
// Bodies may be on their way in between, so it says which ones it takes into account.
struct MemoryGrant {
  std::uint64_t received = 0;  // bytes of all bodies that the owner has got from this fetcher
  std::int64_t room = 0;       // negative: the owner holds more than the limit
  bool idle = false;           // the owner works on no image: nothing that it holds is freed soon

  static auto fields() {
    using M = MemoryGrant;
    return std::make_tuple(&M::received, &M::room, &M::idle);
  }
};
constexpr MemoryGrant kUnlimitedMemory{0, std::numeric_limits<std::int64_t>::max() / 2, true};

// From the fetcher, at least once a second while downloads wait for memory: also a sign of life.
struct MemoryUse {
  std::uint64_t bytes = 0;  // reserved for the downloads under way
  bool is_short = false;    // some of them wait for memory

  static auto fields() { return std::make_tuple(&MemoryUse::bytes, &MemoryUse::is_short); }
};

// From the fetcher, about once a second while anything changes: hosts, at most kReportedHosts.
struct HostStates {
  std::vector<HostState> hosts;

  static auto fields() { return std::make_tuple(&HostStates::hosts); }
};

// To a codec; the source image is attached.
struct CompressRequest {
  std::uint64_t id = 0;
  ImageOptions options;
  std::uint64_t max_pixels = 0;
  std::uint32_t cpu_seconds = 0;  // limit of CPU time for this image
  bool may_be_large = false;      // it may take all of the codec's memory

  static auto fields() {
    using M = CompressRequest;
    return std::make_tuple(&M::id, &M::options, &M::max_pixels, &M::cpu_seconds, &M::may_be_large);
  }
};

// From a codec. On success the output image is attached.
struct CompressReply {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  ImageFormat format = ImageFormat::kJpeg;
  bool kept_source = false;  // the output is the source without metadata: no JPEG was smaller
  std::uint32_t width = 0;   // pixels, as stored (before any EXIF orientation)
  std::uint32_t height = 0;
  std::string reason;         // of a failure
  std::string warning;        // about a success
  std::string digest;         // of the output, in hexadecimal; only a hint for caches
  std::uint32_t work_us = 0;  // microseconds of CPU time; only a hint for planning
  bool is_large = false;      // not compressed: to be sent again when it may be large

  static auto fields() {
    using M = CompressReply;
    return std::make_tuple(&M::id, &M::fault, &M::format, &M::kept_source, &M::width, &M::height,
                           &M::reason, &M::warning, &M::digest, &M::work_us, &M::is_large);
  }
};

using Message =
    std::variant<Ready, FetcherSettings, FetchRequest, FetchReply, CompressRequest, CompressReply,
                 Confined, Unconfined, MemoryGrant, MemoryUse, HostRules, HostStates>;

}  // namespace imgpress::wire
