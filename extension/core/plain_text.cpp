#include "core/plain_text.hpp"

namespace imgpress {

std::string plain_text(std::string_view words) {
  constexpr std::size_t kMaxBytes = 500;
  std::string out(words.substr(0, kMaxBytes));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace imgpress
