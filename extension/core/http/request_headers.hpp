// Headers that a download sends besides those of its own: which ones an administrator may set.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgpress {

// What a header is for. Those of an origin are sent to that origin only, the others to everybody.
enum class HeaderUse { kEveryRequest, kOneOrigin };

// Why the header cannot be set; empty if it can. Names the header, and never its value.
std::string objection_to_header(std::string_view name, std::string_view value, HeaderUse use);

// Why a value (of User-Agent, for example) cannot be sent; empty if it can.
std::string objection_to_header_value(std::string_view value);

// The headers, as "Name: value", of a list such as "Accept: image/* | Accept-Language: de". Throws
// std::invalid_argument with the reason when it is malformed.
std::vector<std::string> split_request_headers(std::string_view list);

}  // namespace imgpress
