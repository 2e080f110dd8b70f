// The error codes: why an image or a webhook delivery failed.
//
// To add one: an enumerator here, and its row in kFaults below. The press reports a Fault over the
// wire, the drainer decides by it about a retry, SQL shows its name (images.error_code), and the
// compress functions raise its SQLSTATE. imgpress.error_codes() shows the table to users.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "core/rules/formats.hpp"

namespace imgpress {

// The numbers travel between processes of the same build and are not stored anywhere.
enum class Fault : std::uint8_t {
  kNone = 0,
  kNotAnImage,        // no known signature: HTML, text, an empty body
  kDamagedImage,      // a known format, but truncated or corrupt
  kUnsupportedImage,  // a known format that imgpress cannot read (TIFF, SVG, AVIF, ...)
  kTooManyPixels,     // width x height exceeds imgpress.max_pixels
  kTooLarge,          // more bytes than imgpress.max_image_bytes
  kOutOfResources,    // the codec hit its memory or CPU limit
  kBadUrl,            // not an http(s) URL, or one with a user name and password
  kAddressDenied,     // the host resolves to a network that is not allowed
  kHttpStatus,        // the server answered with an error status
  kTooManyRedirects,
  kTimeout,
  kConnection,  // name resolution failed, connection refused or reset, body cut short
  kTls,
  kPressDied,  // the helper process that held the image ended unexpectedly
  kEnd,        // not a fault: one past the last
};

constexpr std::size_t count_of(Fault) {
  return static_cast<std::size_t>(Fault::kEnd);
}

// Whether a later attempt may succeed without anybody changing anything.
enum class Transient : std::uint8_t { kNo, kYes, kDependsOnStatus };

struct ErrorCode {
  const char* name;      // stable; what images.error_code holds
  const char* sqlstate;  // class IP is imgpress's own; nullptr: never raised as an SQL error
  Transient transient;
  const char* hint;  // what the user can do about it, or nullptr
};

struct FaultRow {
  Fault fault;
  ErrorCode code;
};

// One row for each Fault, in the order of the enumerators.
inline constexpr FaultRow kFaults[] = {
    {Fault::kNone, {"none", "00000", Transient::kNo, nullptr}},
    {Fault::kNotAnImage, {"not_an_image", "IP001", Transient::kNo, kSupportedFormats.data()}},
    {Fault::kDamagedImage,
     {"damaged_image", "IP002", Transient::kNo,
      "Replace the source file. For a JPEG that only ends too early there is the option "
      "accept_truncated."}},
    {Fault::kUnsupportedImage,
     {"unsupported_image", "IP003", Transient::kNo, kSupportedFormats.data()}},
    {Fault::kTooManyPixels,
     {"too_many_pixels", "IP004", Transient::kNo, "The limit is the setting imgpress.max_pixels."}},
    {Fault::kTooLarge,
     {"too_large", "IP005", Transient::kNo, "The limit is the setting imgpress.max_image_bytes."}},
    {Fault::kOutOfResources,
     {"out_of_resources", "IP006", Transient::kNo,
      "Memory and CPU time for one image are limited: make the source smaller, or try again when "
      "the server is less busy."}},
    {Fault::kBadUrl,
     {"bad_url", "IP007", Transient::kNo,
      "Give an absolute http:// or https:// URL without user name and password."}},
    {Fault::kAddressDenied,
     {"address_denied", "IP008", Transient::kNo,
      "Only public addresses on ports 80 and 443 are fetched. To open a private network, name it "
      "in the setting imgpress.allowed_networks."}},
    {Fault::kHttpStatus,
     {"http_status", "IP009", Transient::kDependsOnStatus,
      "The server refused to send the image. The statuses 206, 408, 425, 429 and 5xx are "
      "transient; all others need a correct URL or a change on the server."}},
    {Fault::kTooManyRedirects,
     {"too_many_redirects", "IP010", Transient::kNo, "Give the URL at which the redirects end."}},
    {Fault::kTimeout,
     {"timeout", "IP011", Transient::kYes,
      "The limits are the settings imgpress.connect_timeout and imgpress.fetch_timeout."}},
    {Fault::kConnection,
     {"connection", "IP012", Transient::kYes,
      "Check that the host name is right and that this server can reach the host."}},
    {Fault::kTls,
     {"tls", "IP013", Transient::kNo,
      "The certificate of the host must be valid and signed by an authority that this server "
      "trusts."}},
    {Fault::kPressDied,
     {"press_died", "IP014", Transient::kYes,
      "The helper process imgpress-press ended; the server log may say why."}},
};

// Not a fault of an attempt: imgpress.cancel() gives this code to the images it stops.
inline constexpr ErrorCode kCancelled = {
    "cancelled", nullptr, Transient::kNo,
    "The request was cancelled. imgpress.retry_failed(request_id) processes its images after all."};

// Statuses of an HTTP answer, besides 5xx, after which another attempt may succeed.
inline constexpr std::array<int, 4> kTransientStatuses = {206, 408, 425, 429};

constexpr const ErrorCode& error_code(Fault fault) {
  return kFaults[static_cast<std::size_t>(fault)].code;
}

constexpr bool every_fault_has_its_row() {
  if (std::size(kFaults) != static_cast<std::size_t>(Fault::kEnd)) return false;
  for (std::size_t i = 0; i < std::size(kFaults); ++i) {
    if (kFaults[i].fault != static_cast<Fault>(i)) return false;
  }
  return true;
}
static_assert(every_fault_has_its_row(), "kFaults needs one row for each Fault, in their order");

// `http_status` decides for kHttpStatus; other faults ignore it.
constexpr bool is_transient(Fault fault, int http_status) {
  const Transient transient = error_code(fault).transient;
  if (transient != Transient::kDependsOnStatus) return transient == Transient::kYes;
  for (const int status : kTransientStatuses) {
    if (status == http_status) return true;
  }
  return http_status >= 500;
}

// Thrown inside the press and core; what() is a sentence for the user.
class FaultError : public std::runtime_error {
 public:
  FaultError(Fault fault, const std::string& message)
      : std::runtime_error(message), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

}  // namespace imgpress
