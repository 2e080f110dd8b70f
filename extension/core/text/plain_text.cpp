#include "core/text/plain_text.hpp"

#include "core/text/utf8.hpp"

namespace imgpress {

std::string plain_text(std::string_view words) {
  constexpr std::size_t kMaxBytes = 500;
  std::string out(words.substr(0, kMaxBytes));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

std::string quote_shortened(std::string_view text) {
  constexpr std::size_t kMaxBytes = 60;
  if (text.size() <= kMaxBytes) return '"' + std::string(text) + '"';
  return '"' + std::string(cut_at_character(text, kMaxBytes)) + "...\"";
}

}  // namespace imgpress
