// Where the imgpress-press executable is.
#pragma once

namespace imgpress {

// The setting imgpress.press_path, else imgpress-press beside the postgres executable. The result
// is valid until the next call.
const char* press_path();

}  // namespace imgpress
