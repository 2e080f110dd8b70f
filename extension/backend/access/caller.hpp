// Who calls imgpress's functions.
#pragma once

namespace imgpress {

void define_acting_role();

// What the SQL function act_as() does, for the function that calls this one. REQUIRES: the role
// exists.
void act_as(const char* role);

}  // namespace imgpress
