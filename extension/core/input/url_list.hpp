// Reads lists of URLs as people, programs and databases write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_scan.hpp"

namespace imgpress {

constexpr std::size_t kMaxUrlsPerProduct = 100'000;

// Appends the elements of the list in one cell to `urls`, in order, whether they are URLs or not.
// Returns the fault of the list, or an empty string.
//
// Plain lists: a comma, semicolon, bar, blank or line end separates two URLs only if http:// or
// https:// follows, because real image URLs contain commas.
//
//   http://a/1,http://a/2
//   <http://a/1>; "http://a/2"
//   [http://a/1, http://a/2]
//
// Arrays of PostgreSQL, JSON and Python, whose elements are not split:
//
//   {http://a/1,"http://a/2"}
//   ["http:\/\/a\/1"]
//   ['http://a/1', None]
//
// JSON objects with url, src or href, see json_urls.hpp:
//
//   [{"src": "http://a/1"}]
//
// Blanks around a URL, surplus separators, empty elements and NULL are dropped. But in an array of
// PostgreSQL an element that is empty or NULL keeps its place, as an empty string.
std::string read_url_list(std::string_view cell, WorkMeter& meter, std::vector<std::string>& urls);

// Appends a URL, or an empty string that keeps its place. Returns the fault, or an empty string: it
// is too long, or there are too many.
std::string append_url(std::string_view url, std::vector<std::string>& urls);

// True if a cell begins like a URL or like a list of URLs.
bool begins_like_urls(std::string_view cell, WorkMeter& meter);

}  // namespace imgpress
