// Tells whether a path still leads to the file, and to the content, that somebody has seen there.
#pragma once

#include <string>

namespace imgpress {

// Device, inode and time of the last change, then the path, as one text. Symbolic links are
// followed. A file that does not exist has a stamp, too.
std::string file_stamp(const std::string& path);

// Whether the path of the stamp has this stamp still.
bool is_current(const std::string& stamp);

}  // namespace imgpress
