// Our readers of JPEG files beside libjpeg: what they accept, it accepts as well, and reads the
// same.
#include "press/jpeg/read/baseline_reader.hpp"
#include "press/jpeg/read/coefficient_reader.hpp"
#include "press/jpeg/read/progressive/progressive_reader.hpp"
#include "support/images/libjpeg_coefficients.hpp"
#include "target.hpp"

namespace imgpress::fuzz {
namespace {

// Enough for every way through the readers; larger images only take longer.
constexpr std::uint64_t kMostPixels = 64UL * 1024;

// Empty if our readers leave the file to libjpeg.
press::fixtures::Coefficients read_ourselves(ByteView input) {
  try {
    press::LibjpegGuard guard;
    press::LibjpegDecoder decoder(guard);
    decoder.read_header(input, {kMostPixels});
    const press::CoefficientImage image = press::describe_image(decoder.state());
    press::ImageRows rows = press::read_baseline(decoder, image);
    if (rows.empty()) rows = press::read_progressive(decoder, image);
    if (rows.empty()) return {};
    return press::fixtures::in_rows(image, rows);
  } catch (const FaultError&) {
    return {};
  }
}

}  // namespace

IMGPRESS_FUZZ_TARGET(coefficients) {
  const press::fixtures::Coefficients ours = read_ourselves(input);
  if (ours.empty()) return;
  const auto theirs = press::fixtures::read_with_libjpeg(input);
  require(theirs.fault.empty(), "libjpeg reads it without a fault");
  require(ours == theirs.planes, "libjpeg reads the same");
}

}  // namespace imgpress::fuzz
