// Recognises the headings of a CSV in the spellings that people use.
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
  kImageUrls,   // numbered or not: "Input Image Urls", "Image 3"
  kLink,        // "URL": taken for the images if no other column is
  kOutputUrls,  // of a file that is a result itself: not read
};

// Ignores case, blanks, dots, underscores, hyphens and quotes.
Heading meaning_of(std::string_view heading);

// How many of the headings have a meaning.
std::size_t count_known(const CsvFields& headings);

// Index of the heading that is most likely a misspelt `wanted`, or npos. Compares the first hundred
// headings, except those that have a meaning of their own.
std::size_t find_nearest(Heading wanted, const CsvFields& headings);

// True if the first record is a product rather than a header.
bool looks_like_data(const CsvFields& record, WorkMeter& meter);

}  // namespace imgpress
