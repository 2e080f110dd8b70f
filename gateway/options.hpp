// The command line and the environment of imgpress-gateway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "access/browser.hpp"

namespace imgpress::gateway {

// An empty host means every interface.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

struct Options {
  ListenAddress listen{"127.0.0.1", 8080};
  bool allow_remote = false;
  bool no_keys = false;
  BrowserRules browser;
  std::string database;  // a libpq connection string; empty: libpq's own defaults
  std::uint64_t connections = 8;
  std::uint64_t max_upload_bytes = 256ULL << 20;
  std::string spool_dir = "/var/tmp";
  std::uint64_t max_spool_bytes = 4ULL << 30;
  bool help = false;
  bool version = false;
};

// what() is a sentence for the user.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Looks up one environment variable.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The command line overrides the environment, and that the defaults.
// Throws OptionError.
Options parse_options(const std::vector<std::string>& arguments, const Environment& environment);

// The text of --help.
std::string usage();

}  // namespace imgpress::gateway
