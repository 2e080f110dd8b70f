// What a submitter may choose for an image. An option is written here and where the codec obeys it:
// its setting (imgpress.<name>), its place in a request's stored options, its field in an upload
// and its place in the messages to a press all follow from the table.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/rules/number_field.hpp"

namespace imgpress {

// How much CPU time a smaller file is worth.
enum class Effort : int {
  kFast,      // as little as possible
  kBalanced,  // only steps that take hardly any time
  kSmall,     // every step that makes the file smaller
};

// In the order of the numbers.
constexpr std::array kEffortNames = {"fast", "balanced", "small"};

// Whether an image is downloaded that has been compressed before.
enum class Refresh : int {
  kChanged,  // only if the origin says, or its bytes show, that it has changed
  kAlways,   // without asking the origin
};

// In the order of the numbers.
constexpr std::array kRefreshNames = {"changed", "always"};

// Incremented whenever the codecs make other outputs of the same sources and options. What was made
// before is then made anew when it is submitted again.
constexpr int kEncoderVersion = 2;

// The initial values are the defaults.
struct ImageOptions {
  int quality = 50;  // of JPEG, on the IJG scale
  Effort effort = Effort::kBalanced;
  // A JPEG file that ends too early is damaged. With this it succeeds, with a warning, as long as
  // it shows at least four fifths of its rows, or, if it is progressive, its coarse picture.
  bool accept_truncated = false;
  Refresh refresh = Refresh::kChanged;
};

// An option whose values are whole numbers.
using NumberOption = NumberField<ImageOptions>;

// An option whose values are words.
template <typename Enum, std::size_t N>
struct WordOption {
  const char* name;
  Enum ImageOptions::*field;
  const std::array<const char*, N>& words;  // in the order of the numbers
  const char* description;
  constexpr bool holds(Enum value) const { return static_cast<std::size_t>(value) < N; }
};

// An option that is on or off.
struct SwitchOption {
  const char* name;
  bool ImageOptions::*field;
  const char* description;
  constexpr bool holds(bool) const { return true; }
};

// Calls visit(option) for each one. Functions that take options take them in this order.
template <typename Visit>
constexpr void visit_options(Visit&& visit) {
  visit(NumberOption{"quality", &ImageOptions::quality, 1, 100,
                     "JPEG quality of the outputs on the IJG scale, 1 to 100."});
  visit(WordOption<Effort, kEffortNames.size()>{
      "effort", &ImageOptions::effort, kEffortNames,
      "What a smaller file may cost: fast, balanced, or small (several times the CPU time)."});
  visit(SwitchOption{"accept_truncated", &ImageOptions::accept_truncated,
                     "Whether a JPEG that ends too early, but shows most of its picture, is "
                     "compressed with a warning instead of refused as damaged."});
  visit(WordOption<Refresh, kRefreshNames.size()>{
      "refresh", &ImageOptions::refresh, kRefreshNames,
      "When an image that the same user has submitted before is downloaded again: changed (only if "
      "it has changed) or always."});
}

// Sets the option of this name to what the text says; false if there is no such option. Throws
// std::invalid_argument, whose words tell the user what the option must be.
bool set_known_option(ImageOptions& options, std::string_view name, std::string_view text);

// Likewise, but also throws for an unknown option; the message suggests the nearest name.
void set_option(ImageOptions& options, std::string_view name, std::string_view text);

// A JSON object with every option.
std::string to_json(const ImageOptions& options);

}  // namespace imgpress
