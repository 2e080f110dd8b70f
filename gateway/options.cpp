#include "options.hpp"

#include <charconv>
#include <limits>

namespace imgpress::gateway {
namespace {

constexpr std::uint64_t kMostBytes = 1ULL << 40;
constexpr std::uint64_t kMostConnections = 1000;

std::uint64_t parse_number(const std::string& name, const std::string& text, std::uint64_t least,
                           std::uint64_t most) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || value < least || value > most) {
    throw OptionError(name + " must be a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", not \"" + text + "\"");
  }
  return value;
}

bool parse_switch(const std::string& name, const std::string& text) {
  if (text == "1" || text == "true" || text == "yes" || text == "on") return true;
  if (text.empty() || text == "0" || text == "false" || text == "no" || text == "off") return false;
  throw OptionError(name + " must be 1 or 0, not \"" + text + "\"");
}

// One option that takes a value: its flag, its environment variable and what it changes.
struct Setting {
  const char* flag;
  const char* variable;
  void (*apply)(Options& options, const std::string& name, const std::string& value);
};

const Setting kSettings[] = {
    {"--listen", "IMGPRESS_LISTEN",
     [](Options& options, const std::string&, const std::string& value) {
       options.listen = parse_listen_address(value);
     }},
    {"--database", "IMGPRESS_DATABASE",
     [](Options& options, const std::string&, const std::string& value) {
       options.database = value;
     }},
    {"--max-upload-bytes", "IMGPRESS_MAX_UPLOAD_BYTES",
     [](Options& options, const std::string& name, const std::string& value) {
       options.max_upload_bytes = parse_number(name, value, 1, kMostBytes);
     }},
    {"--connections", "IMGPRESS_CONNECTIONS",
     [](Options& options, const std::string& name, const std::string& value) {
       options.connections = parse_number(name, value, 1, kMostConnections);
     }},
    {"--spool-dir", "IMGPRESS_SPOOL_DIR",
     [](Options& options, const std::string&, const std::string& value) {
       options.spool_dir = value;
     }},
    {"--max-spool-bytes", "IMGPRESS_MAX_SPOOL_BYTES",
     [](Options& options, const std::string& name, const std::string& value) {
       options.max_spool_bytes = parse_number(name, value, 1, kMostBytes);
     }},
};

void apply_environment(Options& options, const Environment& environment) {
  for (const Setting& setting : kSettings) {
    const auto value = environment(setting.variable);
    if (value && !value->empty()) setting.apply(options, setting.variable, *value);
  }
  if (const auto value = environment("IMGPRESS_ALLOW_REMOTE")) {
    options.allow_remote = parse_switch("IMGPRESS_ALLOW_REMOTE", *value);
  }
}

bool apply_switch(Options& options, const std::string& argument) {
  if (argument == "--allow-remote") return options.allow_remote = true;
  if (argument == "--help" || argument == "-h") return options.help = true;
  if (argument == "--version" || argument == "-V") return options.version = true;
  return false;
}

const Setting* find_setting(const std::string& flag) {
  for (const Setting& setting : kSettings) {
    if (flag == setting.flag) return &setting;
  }
  return nullptr;
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments, const Environment& environment) {
  Options options;
  // --help must work even if a variable is invalid.
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") options.help = true;
  }
  if (options.help) return options;

  apply_environment(options, environment);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (apply_switch(options, argument)) continue;
    const std::size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const Setting* setting = find_setting(flag);
    if (setting == nullptr) throw OptionError("unknown option \"" + argument + "\"; see --help");
    if (equals == std::string::npos && i + 1 == arguments.size()) {
      throw OptionError(flag + " needs a value");
    }
    setting->apply(options, flag,
                   equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1));
  }
  return options;
}

ListenAddress parse_listen_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) {
    throw OptionError("--listen must be HOST:PORT, not \"" + text + "\"");
  }
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    throw OptionError("an IPv6 address to --listen is written [ADDRESS]:PORT, not \"" + text +
                      "\"");
  }
  const auto port = parse_number("the port of --listen", text.substr(colon + 1), 0,
                                 std::numeric_limits<std::uint16_t>::max());
  return {host, static_cast<std::uint16_t>(port)};
}

std::string usage() {
  const Options defaults;
  const std::string address = defaults.listen.host + ':' + std::to_string(defaults.listen.port);
  return R"(imgpress-gateway offers imgpress over HTTP.

Usage: imgpress-gateway [OPTION]...

  --listen HOST:PORT         where to listen; port 0 takes a free one
                             (default )" +
         address + R"(; IMGPRESS_LISTEN)
  --database CONNINFO        the database, as a libpq connection string or URI
                             (default: libpq's PG* variables; IMGPRESS_DATABASE)
  --allow-remote             allow --listen to name an address that other machines can reach;
                             the gateway does not authenticate (IMGPRESS_ALLOW_REMOTE=1)
  --max-upload-bytes NUMBER  the largest CSV accepted
                             (default )" +
         std::to_string(defaults.max_upload_bytes) + R"(; IMGPRESS_MAX_UPLOAD_BYTES)
  --connections NUMBER       the most connections to the database
                             (default )" +
         std::to_string(defaults.connections) + R"(; IMGPRESS_CONNECTIONS)
  --spool-dir FOLDER         where uploads and answers wait for slow clients, in unlinked files
                             (default )" +
         defaults.spool_dir + R"(; IMGPRESS_SPOOL_DIR)
  --max-spool-bytes NUMBER   the most that all of them may take
                             (default )" +
         std::to_string(defaults.max_spool_bytes) + R"(; IMGPRESS_MAX_SPOOL_BYTES)
  --help, --version

SIGTERM and SIGINT end it; requests under way get ten seconds.
)";
}

}  // namespace imgpress::gateway
