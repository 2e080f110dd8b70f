#include "backend/settings.hpp"

#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "core/net/address.hpp"
#include "core/http/request_headers.hpp"
#include "core/net/url.hpp"
#include "core/rules/retry.hpp"

#include "backend/presses/press_register.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "utils/varlena.h"
}

namespace imgpress {
namespace {

// PostgreSQL writes the values here.
Settings stored{};

const config_enum_entry kOutputUrlStyles[] = {
    {"served", static_cast<int>(OutputUrlStyle::kServed), false},
    {"simulated", static_cast<int>(OutputUrlStyle::kSimulated), false},
    {nullptr, 0, false}};

const config_enum_entry kSandboxes[] = {
    {"required", static_cast<int>(Sandbox::kRequired), false},
    {"best_effort", static_cast<int>(Sandbox::kBestEffort), false},
    {nullptr, 0, false}};

// True if `text` is a list of networks; otherwise copies the reason into `reason`.
bool networks_are_valid(const char* text, char* reason, std::size_t size) {
  try {
    const AddressPolicy policy(text);
    return true;
  } catch (const std::exception& error) {
    strlcpy(reason, error.what(), size);
    return false;
  }
}

bool check_allowed_networks(char** value, void**, GucSource) {
  char reason[256];
  if (networks_are_valid(*value, reason, sizeof(reason))) return true;
  GUC_check_errdetail("%s", reason);
  GUC_check_errhint("Give a comma-separated list like \"10.0.0.0/8, fd00::/8, 192.168.1.7\".");
  return false;
}

// True if downloads can send this; otherwise copies the reason into `reason`.
bool headers_are_valid(const char* text, char* reason, std::size_t size) {
  try {
    split_request_headers(text);
    return true;
  } catch (const std::exception& error) {
    strlcpy(reason, error.what(), size);
    return false;
  }
}

bool check_request_headers(char** value, void**, GucSource) {
  char reason[256];
  if (headers_are_valid(*value, reason, sizeof(reason))) return true;
  GUC_check_errdetail("%s", reason);
  GUC_check_errhint("Give a list like \"Accept: image/* | Accept-Language: de\".");
  return false;
}

bool user_agent_is_valid(const char* text) {
  return objection_to_header_value(text).empty();
}

bool check_user_agent(char** value, void**, GucSource) {
  if (user_agent_is_valid(*value)) return true;
  GUC_check_errdetail("It must be printable ASCII without blanks at its ends.");
  return false;
}

bool check_databases(char** value, void**, GucSource) {
  char* list = pstrdup(*value);
  List* names = NIL;
  const bool is_list = SplitGUCList(list, ',', &names);
  const bool too_many = list_length(names) > kMaxDatabases;
  list_free(names);
  pfree(list);
  if (!is_list) {
    GUC_check_errdetail("It must be a list of names, separated by commas.");
    GUC_check_errhint("A name with a blank or a comma needs double quotes: 'shop, \"my shop\"'.");
  } else if (too_many) {
    GUC_check_errdetail("It may name at most %d databases.", kMaxDatabases);
  }
  return is_list && !too_many;
}

bool check_retry_delays(char** value, void**, GucSource) {
  const char* next = *value;
  for (;;) {
    char* end = nullptr;
    const double seconds = strtod(next, &end);
    while (*end == ' ') ++end;
    if (end == next || !(seconds >= 0 && seconds <= 1e7) || (*end != ',' && *end != '\0')) {
      GUC_check_errdetail(
          "Each delay must be a number of seconds from 0 to 10000000; commas separate them, as in "
          "\"5, 300, 1800\".");
      return false;
    }
    if (*end == '\0') return true;
    next = end + 1;
  }
}

bool check_public_url(char** value, void**, GucSource) {
  if (has_scheme(*value)) return true;
  GUC_check_errdetail("It must begin with http:// or https://.");
  return false;
}

void define_string(const char* name, const char* description, char** variable,
                   const char* default_value, GucContext context,
                   GucStringCheckHook check = nullptr, int flags = 0) {
  DefineCustomStringVariable(name, description, nullptr, variable, default_value, context, flags,
                             check, nullptr, nullptr);
}

void define_int(const char* name, const char* description, int* variable, int default_value,
                int minimum, int maximum, int flags = 0, GucContext context = PGC_SIGHUP) {
  DefineCustomIntVariable(name, description, nullptr, variable, default_value, minimum, maximum,
                          context, flags, nullptr, nullptr, nullptr);
}

void define_places() {
  define_string("imgpress.databases",
                "Databases that get a worker, separated by commas; empty: none.", &stored.databases,
                "", PGC_SIGHUP, check_databases, GUC_LIST_INPUT);
  define_string(
      "imgpress.press_path",
      "Path of the imgpress-press executable; empty: the one in PostgreSQL's bin directory.",
      &stored.press_path, "", PGC_SIGHUP, nullptr, GUC_SUPERUSER_ONLY);
  DefineCustomEnumVariable(
      "imgpress.sandbox",
      "required: no press starts unless the kernel confines it by Landlock and seccomp; "
      "best_effort: it goes without what the kernel does not offer.",
      nullptr, &stored.sandbox, static_cast<int>(Sandbox::kRequired), kSandboxes, PGC_SIGHUP, 0,
      nullptr, nullptr, nullptr);
  define_string(
      "imgpress.allowed_networks",
      "Private networks that images may be fetched from, on any port: a list of addresses "
      "and CIDR ranges.",
      &stored.allowed_networks, "", PGC_SIGHUP, check_allowed_networks, GUC_LIST_INPUT);
  define_string("imgpress.user_agent",
                "What downloads and webhooks tell as their User-Agent; empty: nothing.",
                &stored.user_agent, kDefaultUserAgent, PGC_SIGHUP, check_user_agent);
  define_string("imgpress.request_headers",
                "Further headers of every download: a list like \"Accept: image/* | Referer: "
                "https://shop.example/\".",
                &stored.request_headers, "", PGC_SIGHUP, check_request_headers);
  define_string("imgpress.public_url",
                "Base of the output URLs: the URL at which clients reach the gateway.",
                &stored.public_url, "http://127.0.0.1:8080", PGC_SUSET, check_public_url);
  DefineCustomEnumVariable("imgpress.output_url_style",
                           "served: a working URL under imgpress.public_url; simulated: the source "
                           "URL with _compressed before its extension.",
                           nullptr, &stored.output_url_style,
                           static_cast<int>(OutputUrlStyle::kServed), kOutputUrlStyles, PGC_SUSET,
                           0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("imgpress.signed_urls",
                           "Output URLs are signed and expire, and the gateway serves no image "
                           "without a valid signature.",
                           nullptr, &stored.signed_urls, false, PGC_SIGHUP, 0, nullptr, nullptr,
                           nullptr);
  define_int("imgpress.signed_url_lifetime",
             "Time for which a signed output URL is valid at least.", &stored.signed_url_lifetime_s,
             24 * 60 * 60, 60, 10 * 365 * 24 * 60 * 60, GUC_UNIT_S);
  define_string("imgpress.webhook_retry_delays",
                "Pauses between the attempts to deliver a webhook: a list of seconds.",
                &stored.webhook_retry_delays,
                "5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400", PGC_SIGHUP,
                check_retry_delays, GUC_LIST_INPUT);
}

// PostgreSQL copies the name.
struct SettingName {
  char text[NAMEDATALEN];
  explicit SettingName(const char* name) { snprintf(text, sizeof(text), "imgpress.%s", name); }
};

int guc_unit(Unit unit) {
  switch (unit) {
    case Unit::kBytes:
      return GUC_UNIT_BYTE;
    case Unit::kMegabytes:
      return GUC_UNIT_MB;
    case Unit::kMilliseconds:
      return GUC_UNIT_MS;
    case Unit::kSeconds:
      return GUC_UNIT_S;
    case Unit::kNone:
      break;
  }
  return 0;
}

template <typename Struct>
void define_number(const NumberField<Struct>& number, Struct& values, GucContext context) {
  define_int(SettingName(number.name).text, number.description, &(values.*number.field),
             Struct{}.*number.field, number.least, number.most, guc_unit(number.unit), context);
}

// The setting of an option is its value where a submitter gives none.
void define_option(const NumberOption& option) {
  define_number(option, stored.options, PGC_USERSET);
}

template <typename Enum, std::size_t N>
void define_option(const WordOption<Enum, N>& option) {
  static config_enum_entry words[N + 1];  // the last one ends the list
  for (std::size_t i = 0; i < N; ++i) words[i] = {option.words[i], static_cast<int>(i), false};
  static_assert(sizeof(Enum) == sizeof(int), "PostgreSQL stores an int");
  DefineCustomEnumVariable(SettingName(option.name).text, option.description, nullptr,
                           reinterpret_cast<int*>(&(stored.options.*option.field)),
                           static_cast<int>(ImageOptions{}.*option.field), words, PGC_USERSET, 0,
                           nullptr, nullptr, nullptr);
}

void define_option(const SwitchOption& option) {
  DefineCustomBoolVariable(SettingName(option.name).text, option.description, nullptr,
                           &(stored.options.*option.field), ImageOptions{}.*option.field,
                           PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

void define_work() {
  define_int(
      "imgpress.codecs",
      "Number of codec processes of a worker, and of a session that compresses many images; 0: one "
      "per core.",
      &stored.codecs, 0, 0, 256);
  define_int("imgpress.images_in_flight", "Number of images that a worker holds at a time.",
             &stored.images_in_flight, 512, 2, 4096);
  define_int("imgpress.priority",
             "Priority of requests that don't name one; above 0: for imgpress_admin only.",
             &stored.priority, 0, -100, 100, 0, PGC_USERSET);
  define_int("imgpress.memory_limit",
             "Memory of all images that a worker holds at a time: downloads slow down before it.",
             &stored.memory_limit_mb, 1024, 1, 1024 * 1024, GUC_UNIT_MB);
  define_int("imgpress.max_attempts",
             "Number of attempts for an image whose error may be temporary.", &stored.max_attempts,
             3, 1, kMaxAttempts);
  define_int("imgpress.retry_base_delay",
             "Pause before the second attempt; doubles before each further one.",
             &stored.retry_base_delay_ms, 1000, 1, 24 * 60 * 60 * 1000, GUC_UNIT_MS);
  define_int("imgpress.retry_max_delay", "Longest pause between two attempts.",
             &stored.retry_max_delay_ms, 60 * 60 * 1000, 1, 24 * 60 * 60 * 1000, GUC_UNIT_MS);
  define_int("imgpress.lease",
             "Time after which images of a worker that no longer responds go back to the queue.",
             &stored.lease_ms, 5 * 60 * 1000, 1000, 24 * 60 * 60 * 1000, GUC_UNIT_MS);
}

}  // namespace

Settings settings() {
  return stored;
}

PressSettings press_settings(const Settings& config, const char* path) {
  PressSettings made;
  made.press_path = path;
  made.best_effort = config.sandbox == static_cast<int>(Sandbox::kBestEffort);
  made.observer = press_register();
  made.allowed_networks = config.allowed_networks;
  made.host_limits = config.host_limits;
  made.user_agent = config.user_agent;
  made.request_headers = split_request_headers(config.request_headers);
  static_cast<ImageLimits&>(made) = config.image_limits;
  return made;
}

void define_settings() {
  define_places();
  visit_options([](const auto& option) { define_option(option); });
  visit_host_limits(
      [](const HostLimit& limit) { define_number(limit, stored.host_limits, PGC_SIGHUP); });
  visit_image_limits(
      [](const ImageLimit& limit) { define_number(limit, stored.image_limits, PGC_SIGHUP); });
  define_work();
  MarkGUCPrefixReserved("imgpress");
}

}  // namespace imgpress
