#include "press/formats/png_filters.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

enum Filter : std::uint8_t { kNone, kSub, kUp, kAverage, kPaeth, kFilters };

// Four pixels, each in four bytes, as bytes and as words.
using Bytes = std::uint8_t __attribute__((vector_size(16)));
using Pixels = std::uint32_t __attribute__((vector_size(16)));

IMGPRESS_INLINE Bytes smaller_of(Bytes a, Bytes b) {
  return a < b ? a : b;
}

IMGPRESS_INLINE Bytes larger_of(Bytes a, Bytes b) {
  return a > b ? a : b;
}

// Rounded down.
IMGPRESS_INLINE Bytes mean_of(Bytes a, Bytes b) {
  return (a & b) + ((a ^ b) >> 1);
}

// Paeth's predictor is the one of `left`, `above` and `corner` that is nearest to left + above -
// corner. With the distances of the corner to the larger and to the smaller one of the others, it
// is the smaller one when twice the first is at most the second, and the other way round. A
// distance is 0 when the corner does not lie between the two.
IMGPRESS_INLINE Bytes paeth(Bytes left, Bytes above, Bytes corner) {
  const Bytes low = smaller_of(left, above);
  const Bytes high = larger_of(left, above);
  const Bytes to_high = larger_of(high, corner) - corner;
  const Bytes to_low = corner - smaller_of(low, corner);
  const Bytes farther = larger_of(to_high, to_low);
  const auto take_low = reinterpret_cast<Bytes>(farther - to_high >= to_high);
  const auto take_high = reinterpret_cast<Bytes>(farther - to_low >= to_low);
  return larger_of((corner & ~take_low) | (low & take_low), high & take_high);
}

// Undoes the filters of four rows at the same time, a pixel of each in a step. Each row is a pixel
// behind the one above it, whose pixels are known just in time. Without that every pixel would wait
// for the one to its left.
class FourRows {
 public:
  void set_filter(std::size_t row, std::uint8_t filter) {
    keep_left_[row] = mask(filter == kSub || filter == kPaeth);
    keep_above_[row] = mask(filter == kUp || filter == kPaeth);
    keep_corner_[row] = mask(filter == kPaeth);
    keep_mean_[row] = mask(filter == kAverage);
  }

  // Without some of its three neighbours, which are 0 then, Paeth's predictor is that of the other
  // filters, but for kAverage.
  IMGPRESS_INLINE void step(Pixels differences, Pixels above) {
    const Bytes prediction =
        paeth(reinterpret_cast<Bytes>(pixels_ & keep_left_),
              reinterpret_cast<Bytes>(above & keep_above_),
              reinterpret_cast<Bytes>(corner_ & keep_corner_)) |
        (mean_of(reinterpret_cast<Bytes>(pixels_), reinterpret_cast<Bytes>(above)) &
         reinterpret_cast<Bytes>(keep_mean_));
    pixels_ = reinterpret_cast<Pixels>(reinterpret_cast<Bytes>(differences) + prediction);
    corner_ = above;
  }

  Pixels pixels() const { return pixels_; }  // of the last step

 private:
  static std::uint32_t mask(bool set) { return set ? ~std::uint32_t{0} : 0; }

  Pixels keep_left_{};
  Pixels keep_above_{};
  Pixels keep_corner_{};
  Pixels keep_mean_{};
  Pixels pixels_{};
  Pixels corner_{};
};

// Eight rows: the CPU works on the second four while it waits for results of the first.
class Wave {
 public:
  void set_filter(std::size_t row, std::uint8_t filter) {
    (row < 4 ? first_ : second_).set_filter(row % 4, filter);
  }

  // `above`: the pixel above the first row's.
  IMGPRESS_INLINE void step(Pixels first, Pixels second, std::uint32_t above) {
    const Pixels before = first_.pixels();
    second_.step(second, __builtin_shufflevector(before, second_.pixels(), 3, 4, 5, 6));
    first_.step(first, __builtin_shufflevector(before, Pixels{above, 0, 0, 0}, 4, 0, 1, 2));
  }

  Pixels first() const { return first_.pixels(); }
  Pixels second() const { return second_.pixels(); }

 private:
  FourRows first_;
  FourRows second_;
};

// Up to kFilterRows rows.
struct Group {
  const std::uint8_t* above = nullptr;  // the pixels of the row above
  const std::uint8_t* in = nullptr;
  std::uint8_t* out = nullptr;
  std::size_t rows = 0;
  std::size_t width = 0;
  std::size_t row_bytes = 0;

  std::uint8_t filter(std::size_t row) const { return in[row * (row_bytes + 1)]; }
  const std::uint8_t* in_row(std::size_t row) const { return in + row * (row_bytes + 1) + 1; }
  std::uint8_t* out_row(std::size_t row) const { return out + row * row_bytes; }
};

template <std::size_t kBytes>
IMGPRESS_INLINE std::uint32_t load(const std::uint8_t* bytes) {
  std::uint32_t pixel = 0;
  std::memcpy(&pixel, bytes, kBytes);
  return pixel;
}

template <std::size_t kBytes>
IMGPRESS_INLINE void store(std::uint8_t* bytes, std::uint32_t pixel) {
  std::memcpy(bytes, &pixel, kBytes);
}

// A step in which not all rows have a pixel.
template <std::size_t kPixelBytes>
IMGPRESS_INLINE void edge_step(const Group& group, Wave& wave, std::size_t step) {
  const auto has_pixel = [&](std::size_t row) {
    return row < group.rows && step >= row && step - row < group.width;
  };
  Pixels differences[2] = {};
  for (std::size_t row = 0; row < kFilterRows; ++row) {
    if (!has_pixel(row)) continue;
    differences[row / 4][row % 4] =
        load<kPixelBytes>(group.in_row(row) + (step - row) * kPixelBytes);
  }
  wave.step(differences[0], differences[1],
            has_pixel(0) ? load<kPixelBytes>(group.above + step * kPixelBytes) : 0);
  const Pixels pixels[2] = {wave.first(), wave.second()};
  for (std::size_t row = 0; row < kFilterRows; ++row) {
    if (!has_pixel(row)) continue;
    store<kPixelBytes>(group.out_row(row) + (step - row) * kPixelBytes, pixels[row / 4][row % 4]);
  }
}

// Four bytes of four pixels, whatever their size.
IMGPRESS_INLINE Pixels load_four(const std::uint8_t* in, std::size_t step) {
  return Pixels{load<4>(in), load<4>(in + step), load<4>(in + 2 * step), load<4>(in + 3 * step)};
}

IMGPRESS_INLINE void store_four(std::uint8_t* out, std::size_t step, Pixels pixels) {
  store<4>(out, pixels[0]);
  store<4>(out + step, pixels[1]);
  store<4>(out + 2 * step, pixels[2]);
  store<4>(out + 3 * step, pixels[3]);
}

// The steps in which all rows have a pixel, and bytes enough behind it.
template <std::size_t kPixelBytes>
IMGPRESS_INLINE void middle_steps(const Group& group, Wave& wave, std::size_t begin,
                                  std::size_t end) {
  const std::uint8_t* above = group.above + begin * kPixelBytes;
  const std::uint8_t* in = group.in_row(0) + begin * kPixelBytes;
  std::uint8_t* out = group.out_row(0) + begin * kPixelBytes;
  const std::size_t in_step = group.row_bytes + 1 - kPixelBytes;
  const std::size_t out_step = group.row_bytes - kPixelBytes;
  for (std::size_t step = begin; step < end; ++step) {
    wave.step(load_four(in, in_step), load_four(in + 4 * in_step, in_step), load<4>(above));
    store_four(out, out_step, wave.first());
    store_four(out + 4 * out_step, out_step, wave.second());
    above += kPixelBytes;
    in += kPixelBytes;
    out += kPixelBytes;
  }
}

template <std::size_t kPixelBytes>
IMGPRESS_INLINE void undo_in_steps(const Group& group) {
  Wave wave;
  for (std::size_t row = 0; row < group.rows; ++row) wave.set_filter(row, group.filter(row));
  const std::size_t end = group.width + group.rows - 1;
  std::size_t step = 0;
  for (; step < std::min(kFilterRows - 1, end); ++step) {
    edge_step<kPixelBytes>(group, wave, step);
  }
  // Four bytes must not reach beyond the end of a row.
  constexpr std::size_t kBeyond = 3 / kPixelBytes;
  if (group.rows == kFilterRows && group.width > step + kBeyond) {
    middle_steps<kPixelBytes>(group, wave, step, group.width - kBeyond);
    step = group.width - kBeyond;
  }
  for (; step < end; ++step) edge_step<kPixelBytes>(group, wave, step);
}

// No pixel depends on the one to its left.
bool is_simple(const Group& group) {
  for (std::size_t row = 0; row < group.rows; ++row) {
    if (group.filter(row) != kNone && group.filter(row) != kUp) return false;
  }
  return true;
}

IMGPRESS_INLINE void add(const std::uint8_t* a, const std::uint8_t* b, std::size_t size,
                         std::uint8_t* sum) {
  std::size_t i = 0;
  for (; i + sizeof(Bytes) <= size; i += sizeof(Bytes)) {
    Bytes several;
    Bytes others;
    std::memcpy(&several, a + i, sizeof several);
    std::memcpy(&others, b + i, sizeof others);
    several += others;
    std::memcpy(sum + i, &several, sizeof several);
  }
  for (; i < size; ++i) sum[i] = static_cast<std::uint8_t>(a[i] + b[i]);
}

IMGPRESS_INLINE void undo_simply(const Group& group) {
  const std::uint8_t* above = group.above;
  for (std::size_t row = 0; row < group.rows; ++row) {
    if (group.filter(row) == kUp) {
      add(group.in_row(row), above, group.row_bytes, group.out_row(row));
    } else {
      std::memcpy(group.out_row(row), group.in_row(row), group.row_bytes);
    }
    above = group.out_row(row);
  }
}

IMGPRESS_CPU_TARGETS void undo(const Group& group) {
  if (is_simple(group)) return undo_simply(group);
  switch (group.row_bytes / group.width) {
    case 1:
      return undo_in_steps<1>(group);
    case 2:
      return undo_in_steps<2>(group);
    case 3:
      return undo_in_steps<3>(group);
    default:
      return undo_in_steps<4>(group);
  }
}

}  // namespace

bool undo_png_filters(const FilteredRows& rows, std::uint8_t* out) {
  const std::vector<std::uint8_t> zeros(rows.row_bytes());
  Group group{zeros.data(), rows.data, out, 0, rows.width, rows.row_bytes()};
  for (std::size_t done = 0; done < rows.height; done += group.rows) {
    group.rows = std::min(kFilterRows, rows.height - done);
    for (std::size_t row = 0; row < group.rows; ++row) {
      if (group.filter(row) >= kFilters) return false;
    }
    undo(group);
    group.above = group.out_row(group.rows - 1);
    group.in += group.rows * (rows.row_bytes() + 1);
    group.out += group.rows * rows.row_bytes();
  }
  return true;
}

}  // namespace imgpress::press
