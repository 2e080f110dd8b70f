// Warns before DROP EXTENSION imgpress deletes outputs.
#pragma once

struct Node;

namespace imgpress {

// A notice with their number and size, if `statement` drops the extension from a database that has
// outputs.
void tell_what_goes_with_extension(const Node* statement);

}  // namespace imgpress
