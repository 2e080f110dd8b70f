// Who calls imgpress's functions.
#pragma once

namespace imgpress {

void define_acting_role();

}  // namespace imgpress
