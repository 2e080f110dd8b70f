// Lists of URLs, and single URLs: what they are, which host they name, and the names of outputs.
#include <algorithm>
#include <clocale>
#include <string>
#include <vector>

#include "core/input/json_urls.hpp"
#include "core/input/url_list.hpp"
#include "core/net/literal_host.hpp"
#include "core/net/url.hpp"
#include "core/rules/fault.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/output_name.hpp"
#include "press/fetch/transfer.hpp"
#include "target.hpp"

namespace imgpress::fuzz {
namespace {

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

IMGPRESS_FUZZ_TARGET(url_list) {
  WorkMeter meter;
  const std::string_view cell = text_of(input);
  std::vector<std::string> urls;
  begins_like_urls(cell, meter);
  const std::string fault = read_url_list(cell, meter, urls);
  require(!fault.empty() || urls.size() <= kMaxUrlsPerProduct, "no more URLs than there may be");
  std::size_t bytes = 0;
  for (const std::string& url : urls) bytes += url.size();
  // An escape of JSON, such as \u00e9, becomes at most two percent-encoded bytes for a character.
  require(bytes <= 3 * cell.size(), "URLs come from the cell");
  require(meter.total() <= 20 * cell.size() + 100'000, "the work is linear");
  WorkMeter json_meter;
  read_json_urls(cell, json_meter, urls);
  require(json_meter.total() <= 20 * cell.size() + 100'000, "the work is linear");
}

IMGPRESS_FUZZ_TARGET(output_name) {
  const FormatInfo& format = kFormats[take_byte(input) % std::size(kFormats)];
  const std::string_view url = text_of(input);
  const std::string name = imgpress::output_name(url, format.name);
  require(is_printable_ascii(name), "the name is fit for a URL");
  require(name.find_first_of("/?#") == std::string::npos, "the name is one segment of a path");
  require(name.find("_compressed.") != std::string::npos, "the name says that it is compressed");
  const std::string served = served_url("https://shop.example/base/", "id", 7, url, format.name);
  require(served.size() >= name.size() &&
              served.compare(served.size() - name.size(), name.size(), name) == 0,
          "the URL ends with the name");
  require(simulated_url(url).size() <= url.size() + 100, "the simulated URL is the source's");
}

// What is fetched: a URL goes through libcurl's reader before any connection is made.
IMGPRESS_FUZZ_TARGET(url) {
  const std::string_view text = text_of(input);
  if (text.find('\0') != std::string_view::npos) return;  // a text of PostgreSQL has none
  static const char* const locale = std::setlocale(LC_CTYPE, "C.UTF-8");  // as in a fetcher
  require(locale != nullptr, "there is the locale of a fetcher");
  const auto literal = literal_host(text);
  require(!literal || is_http_url(text), "only a URL has a host");
  wire::FetchRequest request;
  request.url = std::string(text);
  const AddressPolicy policy;
  press::MemoryBudget memory;
  try {
    const press::Transfer transfer(request, policy, memory);
    // libcurl writes an IPv4 address in its usual form, however it was spelt.
    const auto fetched = literal_host("http://" + transfer.queue() + "/");
    require(!literal || !fetched || literal->address == fetched->address,
            "the address in a URL is the one that is fetched from");
  } catch (const FaultError&) {
  }
}

}  // namespace imgpress::fuzz
