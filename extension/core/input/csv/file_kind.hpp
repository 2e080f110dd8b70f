// Recognises files that are not CSV, to say so by name.
#pragma once

#include <string_view>

namespace imgpress {

// "a JPEG image", "a spreadsheet", "HTML", ... by the first bytes; nullptr for what may be a CSV.
const char* foreign_kind(std::string_view bytes);

// What to do about it: the end of the message.
constexpr const char* kSaveAsCsv = ": save the file as \"CSV UTF-8\"";

}  // namespace imgpress
