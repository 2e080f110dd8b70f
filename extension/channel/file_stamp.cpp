#include "channel/file_stamp.hpp"

#include <sys/stat.h>

namespace imgpress {

std::string file_stamp(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "- " + path;
  return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) + ':' +
         std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec) +
         ' ' + path;
}

bool is_current(const std::string& stamp) {
  const std::size_t blank = stamp.find(' ');
  return blank != std::string::npos && file_stamp(stamp.substr(blank + 1)) == stamp;
}

}  // namespace imgpress
