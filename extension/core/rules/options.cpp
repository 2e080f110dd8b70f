#include "core/rules/options.hpp"

#include <charconv>
#include <optional>
#include <stdexcept>

#include "core/text/nearest_name.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

std::optional<int> parse(const NumberOption&, std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename Enum, std::size_t N>
std::optional<Enum> parse(const WordOption<Enum, N>& option, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (option.words[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

std::optional<bool> parse(const SwitchOption&, std::string_view text) {
  for (const std::string_view word : {"true", "on", "yes", "1"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"false", "off", "no", "0"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

std::string rule(const NumberOption& option) {
  return "an integer from " + std::to_string(option.least) + " to " + std::to_string(option.most);
}

template <typename Enum, std::size_t N>
std::string rule(const WordOption<Enum, N>& option) {
  std::string list;
  for (std::size_t i = 0; i < N; ++i) {
    if (i > 0) list += i + 1 == N ? " or " : ", ";
    list += option.words[i];
  }
  return list;
}

std::string rule(const SwitchOption&) {
  return "true or false";
}

std::string text_of(const NumberOption& option, const ImageOptions& options) {
  return std::to_string(options.*option.field);
}

template <typename Enum, std::size_t N>
std::string text_of(const WordOption<Enum, N>& option, const ImageOptions& options) {
  return '"' + std::string(option.words[static_cast<std::size_t>(options.*option.field)]) + '"';
}

std::string text_of(const SwitchOption& option, const ImageOptions& options) {
  return options.*option.field ? "true" : "false";
}

}  // namespace

bool set_known_option(ImageOptions& options, std::string_view name, std::string_view text) {
  bool known = false;
  visit_options([&](const auto& option) {
    if (option.name != name) return;
    known = true;
    const auto value = parse(option, text);
    if (!value || !option.holds(*value)) {
      throw std::invalid_argument(std::string(name) + " must be " + rule(option) + ", not " +
                                  quote_shortened(text));
    }
    options.*option.field = *value;
  });
  return known;
}

void set_option(ImageOptions& options, std::string_view name, std::string_view text) {
  if (set_known_option(options, name, text)) return;
  std::vector<std::string_view> names;
  visit_options([&](const auto& option) { names.emplace_back(option.name); });
  throw std::invalid_argument(unknown_name("option", name, names));
}

std::string to_json(const ImageOptions& options) {
  std::string json;
  visit_options([&](const auto& option) {
    json += json.empty() ? "{\"" : ", \"";
    json.append(option.name).append("\": ").append(text_of(option, options));
  });
  return json + '}';
}

}  // namespace imgpress
