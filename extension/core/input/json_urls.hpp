// Reads the image URLs in a JSON value, as shops keep them in a column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_scan.hpp"

namespace imgpress {

// Appends the URLs of the value to `urls`: a text, an object with url, src or href (whichever comes
// first in this list and is not null), or an array of these. What is null or empty keeps its place,
// as an empty string, so that results line up with the array. Returns the fault of the value, or an
// empty string.
//
//   "http://a/1"
//   ["http://a/1", null]
//   [{"src": "http://a/1", "alt": "front"}]
std::string read_json_urls(std::string_view json, WorkMeter& meter, std::vector<std::string>& urls);

// True if the text begins like a JSON object, or like an array of objects.
bool begins_like_json_objects(std::string_view text, WorkMeter& meter);

}  // namespace imgpress
