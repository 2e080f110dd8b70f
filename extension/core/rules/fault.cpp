#include "core/rules/fault.hpp"

#include "core/rules/formats.hpp"

namespace imgpress {
namespace {

// Made when the program is loaded: it must outlive the errors that show it.
const std::string kListOfFormats = "Supported formats are " + list_of_formats() + ".";

}  // namespace

const char* hint_of(const ErrorCode& code) {
  return code.hint == kSupportedFormats ? kListOfFormats.c_str() : code.hint;
}

}  // namespace imgpress
