// The limits of an input as the documentation states them.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "core/input/csv/csv_layout.hpp"
#include "core/input/input_faults.hpp"
#include "core/input/url_list.hpp"
#include "core/net/url.hpp"

namespace imgpress {
namespace {

bool says(const char* file, const std::string& sentence) {
  std::ifstream stream(std::string(IMGPRESS_SOURCE_DIR "/") + file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  return text.find(sentence) != std::string::npos;
}

TEST(Limits, OfACsvAreThoseInTheDocs) {
  static_assert(kMaxUrlsPerProduct == 100'000);  // the docs write it as 100,000
  EXPECT_TRUE(says("docs/sql.md", std::to_string(kMaxColumns) + " columns in a header, " +
                                      std::to_string(kMaxRowColumns) +
                                      " in a row, 100,000 URLs for a product, " +
                                      std::to_string(kMaxUrlBytes) + " bytes for a URL."));
}

TEST(Limits, OfListedFaultsAreThoseInTheDocs) {
  const std::string number = std::to_string(kMaxListedFaults);
  EXPECT_TRUE(says("docs/sql.md", "one row for each fault, at most " + number));
  EXPECT_TRUE(says("docs/rest.md", "At most " + number + " faults of the CSV"));
  EXPECT_TRUE(
      says("sql/functions/requests/20_submit.sql", "After " + number + " faults a last row"));
}

}  // namespace
}  // namespace imgpress
