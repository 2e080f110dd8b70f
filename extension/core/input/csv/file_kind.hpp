// What a file is that was taken for a CSV and is none.
#pragma once

#include <string_view>

namespace imgpress {

// "a JPEG image", "a spreadsheet", "HTML", ...: told by the first bytes; nullptr for what may be a
// CSV.
const char* foreign_kind(std::string_view bytes);

}  // namespace imgpress
