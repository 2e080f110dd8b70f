#include "backend/presses/press_path.hpp"

#include "backend/settings.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

const char* press_path() {
  static char path[MAXPGPATH];
  const char* configured = settings().press_path;
  if (configured != nullptr && configured[0] != '\0') {
    strlcpy(path, configured, sizeof(path));
  } else {
    strlcpy(path, my_exec_path, sizeof(path));
    get_parent_directory(path);
    join_path_components(path, path, "imgpress-press");
  }
  return path;
}

}  // namespace imgpress
