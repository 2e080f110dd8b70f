#include "backend/presses/process_status.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace imgpress {

std::optional<ProcessStatus> process_status(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  if (!file) return std::nullopt;
  ProcessStatus status;
  bool has_ended = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::string value;
    words >> name >> value;
    if (name == "State:") has_ended = value == "Z" || value == "X";
    if (name == "PPid:") status.parent = std::stoi(value);
    if (name == "VmRSS:") status.memory_bytes = std::stoll(value) * 1024;
    if (name == "NoNewPrivs:") status.no_new_privs = value == "1";
    if (name == "Seccomp_filters:") status.seccomp_filters = std::stoi(value);
  }
  if (has_ended || status.parent == 0) return std::nullopt;
  return status;
}

}  // namespace imgpress
