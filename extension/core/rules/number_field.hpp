// A field of a struct that holds a whole number, as a table describes it.
#pragma once

namespace imgpress {

enum class Unit { kNone, kBytes, kMegabytes, kMilliseconds, kSeconds };

template <typename Struct>
struct NumberField {
  const char* name;
  int Struct::*field;
  int least;
  int most;
  const char* description;
  Unit unit = Unit::kNone;
  constexpr bool holds(int value) const { return value >= least && value <= most; }
};

}  // namespace imgpress
