// DROP DATABASE (and what else needs a database without sessions) must not fail because imgpress
// drains it.
#pragma once

namespace imgpress {

void install_database_drop_hook();

}  // namespace imgpress
