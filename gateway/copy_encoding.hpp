// Writes PostgreSQL's binary COPY format for imgpress_internal.upload_parts (uuid, int4, bytea).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// Comes before the first row.
std::string copy_header();

// Comes after the last row.
std::string copy_trailer();

// The beginning of a row; the third column, of `size` bytes, must follow.
// REQUIRES: upload_id is 8-4-4-4-12 hexadecimal digits; size < 2^31.
std::string copy_row_head(std::string_view upload_id, std::int32_t part_number, std::size_t size);

}  // namespace imgpress::gateway
