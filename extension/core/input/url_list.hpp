// Lists of URLs, in the ways in which people, programs and databases write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_scan.hpp"

namespace imgpress {

constexpr std::size_t kMostUrlsInProduct = 100'000;

// Appends the URLs of one cell to `urls`, in order; elements may be no URL at all. Returns what is
// wrong with the list, or an empty string.
//
//   http://a/1,http://a/2        A comma (or semicolon, bar, blank, line end) separates two URLs
//   only <http://a/1>; "http://a/2"   where the next one begins with http:// or https://, because
//   real
//                                image URLs contain commas.
//   {http://a/1,"http://a/2"}    An array of PostgreSQL,
//   ["http:\/\/a\/1"]            of JSON,
//   ['http://a/1', None]         or as Python prints it. Their elements are not split any further,
//   [http://a/1, http://a/2]     but for those in brackets only.
//
// Blanks (of any kind) around a URL and surplus separators are dropped; so are NULL and empty
// elements.
std::string read_url_list(std::string_view cell, WorkMeter& meter, std::vector<std::string>& urls);

// Whether a cell begins as a URL or as a list of them does.
bool begins_like_urls(std::string_view cell, WorkMeter& meter);

}  // namespace imgpress
