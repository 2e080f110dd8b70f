// Why an image (or a webhook delivery) could not be processed.
//
// One vocabulary for every layer: the press reports a Fault over the wire, the drainer asks whether
// trying again can help, SQL shows the name and an ordinary session gets the SQLSTATE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace imgpress {

// The numbers travel on the wire between processes of one build; they are stored nowhere.
enum class Fault : std::uint8_t {
  kNone = 0,
  kNotAnImage,        // no known signature: HTML, text, empty body
  kDamagedImage,      // known format, but truncated or corrupt
  kUnsupportedImage,  // known format that imgpress does not read (TIFF, SVG, AVIF, ...)
  kTooManyPixels,     // width x height over imgpress.max_pixels
  kTooLarge,          // more bytes than imgpress.max_image_bytes
  kOutOfResources,    // the codec's memory or CPU limit, or scans without end
  kBadUrl,            // not an http(s) URL, or with user name and password in it
  kAddressDenied,     // resolves to a network that is not allowed
  kHttpStatus,        // the origin answered with an error status
  kTooManyRedirects,
  kTimeout,
  kConnection,  // name resolution, refused, reset, truncated transfer
  kTls,
  kPressDied,  // the helper process that held the image ended unexpectedly
  kCancelled,
};

constexpr int kFaultCount = static_cast<int>(Fault::kCancelled) + 1;
constexpr std::size_t count_of(Fault) {
  return kFaultCount;
}

// Stable lower-case name, shown in SQL (images.error_code): "not_an_image".
const char* fault_name(Fault fault);

// SQLSTATE raised by compress_image() and compress_image_url(): class IP is imgpress's own.
const char* fault_sqlstate(Fault fault);

// What the user can do about it, or nullptr. Raised as the HINT.
const char* fault_hint(Fault fault);

// True where a later attempt may succeed without anybody changing anything.
// For kHttpStatus this depends on the status: 206, 408, 425, 429 and 5xx are worth another attempt.
bool fault_is_transient(Fault fault, int http_status);

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
