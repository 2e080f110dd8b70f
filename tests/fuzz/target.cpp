#include "target.hpp"

#include <algorithm>

namespace imgpress::fuzz {
namespace {

std::vector<Target>& all() {
  static std::vector<Target> listed;
  return listed;
}

}  // namespace

const std::vector<Target>& targets() {
  return all();
}

bool list(const Target& target) {
  const auto later = [&](const Target& other) {
    return std::string_view(target.name) < other.name;
  };
  all().insert(std::find_if(all().begin(), all().end(), later), target);
  return true;
}

}  // namespace imgpress::fuzz
