// What the headings of a CSV mean, in the spellings that people use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/input/csv/csv_reader.hpp"
#include "core/input/input_faults.hpp"

namespace imgpress {

enum class Heading {
  kOther,
  kSerialNumber,
  kProductName,
  kImageUrls,  // numbered or not: "Input Image Urls", "Image 3"
  kLink,       // "URL" alone: the images, unless other columns name them more plainly
};

// Whatever the case, blanks, dots, underscores, hyphens and quotes.
Heading meaning_of(std::string_view heading);

// How many of the headings are known.
std::size_t count_known(const CsvFields& headings);

// The heading that looks most like a misspelt `wanted` ("Serial Number", ...), or npos. Only those
// of no known meaning are looked at, and no more than the first hundred.
std::size_t find_nearest(Heading wanted, const CsvFields& headings);

// Whether the first record is a product rather than a header.
bool looks_like_data(const CsvFields& record, WorkMeter& meter);

}  // namespace imgpress
