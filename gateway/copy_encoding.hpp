// PostgreSQL's binary COPY format, as far as imgpress_internal.upload_parts (uuid, int4, bytea)
// needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// What precedes the first row.
std::string copy_header();

// What ends the data.
std::string copy_trailer();

// The beginning of a row whose third column, of the given size, is sent right after it.
// REQUIRES: upload_id is 8-4-4-4-12 hexadecimal digits; size < 2^31.
std::string copy_row_head(std::string_view upload_id, std::int32_t part_number, std::size_t size);

}  // namespace imgpress::gateway
