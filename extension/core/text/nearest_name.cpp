#include "core/text/nearest_name.hpp"

#include <algorithm>
#include <numeric>

#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

// Longer names are not compared, because that takes time in proportion to their length.
constexpr std::size_t kMaxBytes = 100;

// The Levenshtein distance: how many bytes must be inserted, removed or replaced.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);  // distances of the beginnings of b from that of a
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (to_lower(a[i]) == to_lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& known) {
  std::string_view nearest;
  if (name.size() > kMaxBytes) return nearest;
  std::size_t least = kMaxBytes;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance >= least || distance > std::max(name.size(), candidate.size()) / 2) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

std::string unknown_name(std::string_view kind, std::string_view name,
                         const std::vector<std::string_view>& known) {
  std::string message = "unknown " + std::string(kind) + ' ' + quote_shortened(name);
  const std::string_view nearest = nearest_name(name, known);
  if (!nearest.empty()) return message.append("; did you mean \"").append(nearest) + "\"?";
  message.append("; the known ").append(kind) += "s are ";
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (i > 0) message += i + 1 == known.size() ? " and " : ", ";
    message += known[i];
  }
  return message;
}

}  // namespace imgpress
