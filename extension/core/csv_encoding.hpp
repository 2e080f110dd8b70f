// What a file is that was uploaded as a CSV and is none in UTF-8.
#pragma once

#include <optional>
#include <string_view>

#include "core/product.hpp"

namespace imgpress {

// Nothing for valid UTF-8 without NUL; else the fault with its line and what to do about it.
std::optional<InputFault> find_encoding_fault(std::string_view bytes);

// Length of the byte order mark in front of UTF-8 text, 0 without one.
std::size_t byte_order_mark_length(std::string_view utf8);

// Length of the line `sep=;` that spreadsheets put in front of the header, with its line end; else
// 0.
std::size_t separator_line_length(std::string_view csv);

}  // namespace imgpress
