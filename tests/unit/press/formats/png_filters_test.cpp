#include "press/formats/png_filters.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

namespace imgpress::press {
namespace {

using Bytes = std::vector<std::uint8_t>;

int predict(int filter, int left, int above, int corner) {
  const int estimate = left + above - corner;
  const int to_left = std::abs(estimate - left);
  const int to_above = std::abs(estimate - above);
  const int to_corner = std::abs(estimate - corner);
  const bool is_left = to_left <= to_above && to_left <= to_corner;
  const int nearest = is_left ? left : to_above <= to_corner ? above : corner;
  const int predictions[] = {0, left, above, (left + above) / 2, nearest};
  return predictions[filter];
}

// As the standard says it, byte by byte.
Bytes undo_as_specified(const FilteredRows& rows) {
  const std::size_t row_bytes = rows.row_bytes();
  Bytes pixels(row_bytes * rows.height);
  const auto at = [&](std::size_t y, std::size_t back_y, std::size_t x, std::size_t back_x) {
    return y < back_y || x < back_x ? 0 : int(pixels[(y - back_y) * row_bytes + x - back_x]);
  };
  for (std::size_t y = 0; y < rows.height; ++y) {
    const std::uint8_t* row = rows.data + y * (row_bytes + 1);
    for (std::size_t x = 0; x < row_bytes; ++x) {
      const int predicted = predict(row[0], at(y, 0, x, rows.pixel_bytes), at(y, 1, x, 0),
                                    at(y, 1, x, rows.pixel_bytes));
      pixels[y * row_bytes + x] = std::uint8_t(row[x + 1] + predicted);
    }
  }
  return pixels;
}

// Rows of random differences with random ones of these filters, after room for the pixels.
struct RandomRows {
  RandomRows(std::size_t width, std::size_t height, std::size_t pixel_bytes, const Bytes& filters)
      : rows{nullptr, width, height, pixel_bytes} {
    const std::size_t lead = kFilterRows * rows.row_bytes();
    std::mt19937 random{unsigned(width * 64 + height * 8 + pixel_bytes)};
    memory.resize(lead + rows.size());
    for (std::size_t i = lead; i < memory.size(); ++i) {
      const bool starts_row = (i - lead) % (rows.row_bytes() + 1) == 0;
      memory[i] = starts_row ? filters[random() % filters.size()] : std::uint8_t(random());
    }
    rows.data = memory.data() + lead;
  }

  Bytes memory;
  FilteredRows rows;
};

void expect_as_specified(std::size_t width, std::size_t height, std::size_t pixel_bytes,
                         const Bytes& filters) {
  RandomRows random(width, height, pixel_bytes, filters);
  const Bytes expected = undo_as_specified(random.rows);
  ASSERT_TRUE(undo_png_filters(random.rows, random.memory.data()));
  random.memory.resize(expected.size());
  EXPECT_EQ(random.memory, expected)
      << width << " x " << height << " pixels of " << pixel_bytes << " bytes";
}

TEST(PngFilters, AreUndoneAsTheStandardSays) {
  for (const Bytes& filters : {Bytes{0}, {1}, {2}, {3}, {4}, {0, 2}, {0, 1, 2, 3, 4}}) {
    for (std::size_t pixel_bytes = 1; pixel_bytes <= 4; ++pixel_bytes) {
      for (std::size_t height = 1; height <= 9; ++height) {
        for (const std::size_t width : {1, 2, 3, 4, 5, 6, 7, 8, 9, 33}) {
          expect_as_specified(width, height, pixel_bytes, filters);
        }
      }
    }
  }
}

// Pairs of rows of two pixels: the corner and what is above; what is to the left and the predicted
// pixel. `corner`: of the first of four bytes; those of the others are one more each.
Bytes pairs_with_all_neighbours(int corner) {
  Bytes rows;
  for (int above = 0; above < 256; ++above) {
    for (int left = 0; left < 256; ++left) {
      rows.push_back(0);
      for (int i = 0; i < 4; ++i) rows.push_back(std::uint8_t(corner + i));
      rows.insert(rows.end(), 4, std::uint8_t(above));
      rows.push_back(4);
      for (int i = 0; i < 4; ++i) rows.push_back(std::uint8_t(left - (corner + i)));
      rows.insert(rows.end(), 4, 0);
    }
  }
  return rows;
}

TEST(PngFilters, PaethsPredictorIsRightForAllNeighbours) {
  for (int corner = 0; corner < 256; corner += 4) {
    const Bytes filtered = pairs_with_all_neighbours(corner);
    const FilteredRows rows{filtered.data(), 2, 2 * 256 * 256, 4};
    Bytes pixels(rows.row_bytes() * rows.height);
    ASSERT_TRUE(undo_png_filters(rows, pixels.data()));
    int wrong = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const std::size_t in_pair = i % 16;
      if (in_pair < 12) continue;
      const Bytes::value_type* pair = pixels.data() + i - in_pair;
      const std::size_t byte = in_pair - 12;
      ASSERT_EQ(pair[8 + byte], std::uint8_t(i / 16));
      wrong += pair[in_pair] != predict(4, pair[8 + byte], pair[4 + byte], pair[byte]);
    }
    EXPECT_EQ(wrong, 0) << "with the corner " << corner;
  }
}

TEST(PngFilters, AnUnknownOneIsRefused) {
  for (const std::size_t bad_row : {0, 3, 4, 6}) {
    RandomRows random(5, 7, 3, {0, 1, 2, 3, 4});
    random.memory[kFilterRows * 15 + bad_row * 16] = 5;
    EXPECT_FALSE(undo_png_filters(random.rows, random.memory.data()));
  }
}

}  // namespace
}  // namespace imgpress::press
