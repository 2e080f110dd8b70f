#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace imgpress::gateway {
namespace {

using Text = const std::string&;

std::uint64_t parse_number(Text name, Text text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || value < least || value > most) {
    throw OptionError(name + " must be a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", not \"" + text + "\"");
  }
  return value;
}

std::uint64_t parse_bytes(Text name, Text text) {
  return parse_number(name, text, 1, 1ULL << 40);
}

bool parse_switch(Text name, Text text) {
  if (text == "1" || text == "true" || text == "yes" || text == "on") return true;
  if (text == "0" || text == "false" || text == "no" || text == "off") return false;
  throw OptionError(name + " must be 1 or 0, not \"" + text + "\"");
}

ListenAddress parse_address(Text name, Text text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) throw OptionError(name + " must be HOST:PORT, not \"" + text + "\"");
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    throw OptionError(name + ": an IPv6 address is written [ADDRESS]:PORT, not \"" + text + "\"");
  }
  const auto port = parse_number("the port of " + name, text.substr(colon + 1), 0,
                                 std::numeric_limits<std::uint16_t>::max());
  return {host, static_cast<std::uint16_t>(port)};
}

// The items of a list with commas or blanks between them.
std::vector<std::string> split(Text text) {
  constexpr const char* kBetween = ", ";
  std::vector<std::string> items;
  for (std::size_t at = text.find_first_not_of(kBetween); at != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    items.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kBetween, end);
  }
  return items;
}

std::string parse_host(Text name, Text text) {
  const auto authority = parse_authority(text);
  if (authority && authority->port.empty()) return authority->host;
  throw OptionError(name + " must be a host name without a port, not \"" + text + "\"");
}

Origin parse_origin(Text name, Text text) {
  const auto origin = origin_of(text);
  const bool has_path = std::count(text.begin(), text.end(), '/') > 2;
  if (origin && !has_path) return *origin;
  throw OptionError(name + " must be scheme, host and perhaps port of a web site, as in " +
                    "https://admin.shop.example, not \"" + text + "\"");
}

void add_hosts(Options& options, Text name, Text text) {
  for (Text item : split(text)) options.browser.hosts.push_back(parse_host(name, item));
}

void add_cors_origins(Options& options, Text name, Text text) {
  for (Text item : split(text)) options.browser.cors_origins.push_back(parse_origin(name, item));
}

// One option: its flag, its environment variable, what it means and what it changes. `value` is
// what it takes, nullptr for a switch. `name` in apply is that of the flag or of the variable.
struct Setting {
  const char* flag;
  const char* variable;
  const char* value;
  const char* help;
  void (*apply)(Options& options, Text name, Text text);
  std::string (*shown)(const Options& options);
};

const Setting kSettings[] = {
    {"--listen", "IMGPRESS_LISTEN", "HOST:PORT", "where to listen; port 0 takes a free one",
     [](Options& o, Text name, Text text) { o.listen = parse_address(name, text); },
     [](const Options& o) { return o.listen.host + ':' + std::to_string(o.listen.port); }},
    {"--allow-remote", "IMGPRESS_ALLOW_REMOTE", nullptr,
     "let --listen name an address that other machines can reach; clients then need a key, unless "
     "--no-keys says otherwise",
     [](Options& o, Text name, Text text) { o.allow_remote = parse_switch(name, text); },
     [](const Options&) { return std::string("off"); }},
    {"--no-keys", "IMGPRESS_NO_KEYS", nullptr,
     "ask nobody for a key: whoever reaches the gateway may use it",
     [](Options& o, Text name, Text text) { o.no_keys = parse_switch(name, text); },
     [](const Options&) { return std::string("off"); }},
    {"--host", "IMGPRESS_HOST", "NAME",
     "a further host name under which clients reach the gateway, besides IP addresses, localhost "
     "and the host of imgpress.public_url; may be repeated",
     add_hosts, [](const Options&) { return std::string("none"); }},
    {"--cors-origin", "IMGPRESS_CORS_ORIGIN", "ORIGIN",
     "a web site, as in https://admin.shop.example, whose pages may use the API; may be repeated",
     add_cors_origins, [](const Options&) { return std::string("none"); }},
    {"--database", "IMGPRESS_DATABASE", "CONNINFO",
     "the database, as a libpq connection string or URI",
     [](Options& o, Text, Text text) { o.database = text; },
     [](const Options&) { return std::string("libpq's PG* variables"); }},
    {"--connections", "IMGPRESS_CONNECTIONS", "NUMBER", "the most connections to the database",
     [](Options& o, Text name, Text text) { o.connections = parse_number(name, text, 1, 1000); },
     [](const Options& o) { return std::to_string(o.connections); }},
    {"--max-upload-bytes", "IMGPRESS_MAX_UPLOAD_BYTES", "NUMBER", "the largest CSV accepted",
     [](Options& o, Text name, Text text) { o.max_upload_bytes = parse_bytes(name, text); },
     [](const Options& o) { return std::to_string(o.max_upload_bytes); }},
    {"--spool-dir", "IMGPRESS_SPOOL_DIR", "FOLDER",
     "where uploads and large answers wait for slow clients, in unlinked files",
     [](Options& o, Text, Text text) { o.spool_dir = text; },
     [](const Options& o) { return o.spool_dir; }},
    {"--max-spool-bytes", "IMGPRESS_MAX_SPOOL_BYTES", "NUMBER",
     "the most that all of these files may take",
     [](Options& o, Text name, Text text) { o.max_spool_bytes = parse_bytes(name, text); },
     [](const Options& o) { return std::to_string(o.max_spool_bytes); }},
};

const Setting& find_setting(const std::string& flag) {
  for (const Setting& setting : kSettings) {
    if (flag == setting.flag) return setting;
  }
  throw OptionError("unknown option \"" + flag + "\"; see --help");
}

// True if the arguments have this flag, followed by its value or by "=" and the value.
bool is_given(const std::vector<std::string>& arguments, const std::string& flag) {
  return std::any_of(arguments.begin(), arguments.end(), [&flag](Text argument) {
    return argument.substr(0, argument.find('=')) == flag;
  });
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments, const Environment& environment) {
  Options options;
  // These work even if a variable is invalid.
  for (Text argument : arguments) {
    if (argument == "--help" || argument == "-h") options.help = true;
    if (argument == "--version" || argument == "-V") options.version = true;
  }
  if (options.help || options.version) return options;

  for (const Setting& setting : kSettings) {
    if (is_given(arguments, setting.flag)) continue;
    const auto value = environment(setting.variable);
    if (value && !value->empty()) setting.apply(options, setting.variable, *value);
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    const std::string flag = arguments[i].substr(0, equals);
    const Setting& setting = find_setting(flag);
    if (equals != std::string::npos) {
      setting.apply(options, flag, arguments[i].substr(equals + 1));
    } else if (setting.value == nullptr) {
      setting.apply(options, flag, "1");
    } else if (i + 1 < arguments.size()) {
      setting.apply(options, flag, arguments[++i]);
    } else {
      throw OptionError(flag + " needs a value");
    }
  }
  return options;
}

std::string usage() {
  std::string text =
      "imgpress-gateway offers imgpress over HTTP.\n\nUsage: imgpress-gateway [OPTION]...\n\n";
  for (const Setting& setting : kSettings) {
    text += std::string("  ") + setting.flag + (setting.value != nullptr ? " " : "") +
            (setting.value != nullptr ? setting.value : "") + "\n      " + setting.help +
            "\n      (default " + setting.shown({}) + "; " + setting.variable + ")\n";
  }
  return text +
         "  --help, --version\n\n"
         "SIGTERM and SIGINT end it; requests under way get ten seconds.\n";
}

}  // namespace imgpress::gateway
