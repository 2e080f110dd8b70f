// Ends the worker of a database before a command that needs the database without sessions, such as
// DROP DATABASE.
#pragma once

namespace imgpress {

void install_database_drop_hook();

}  // namespace imgpress
