#include "core/text/plain_text.hpp"

namespace imgpress {

std::string plain_text(std::string_view words) {
  constexpr std::size_t kMaxBytes = 500;
  std::string out(words.substr(0, kMaxBytes));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

std::string_view cut_at_character(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  std::size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string quote_shortened(std::string_view text) {
  constexpr std::size_t kMaxBytes = 60;
  if (text.size() <= kMaxBytes) return '"' + std::string(text) + '"';
  return '"' + std::string(cut_at_character(text, kMaxBytes)) + "...\"";
}

}  // namespace imgpress
