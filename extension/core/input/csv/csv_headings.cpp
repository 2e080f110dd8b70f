#include "core/input/csv/csv_headings.hpp"

#include <algorithm>
#include <array>

#include "core/input/serial_number.hpp"
#include "core/input/url_list.hpp"
#include "core/net/url.hpp"
#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kMaxHeadingBytes = 100;  // known headings are shorter, with blanks and dots
constexpr std::size_t kHeadingsCompared = 100;

struct Spelling {
  std::string_view bare;
  Heading meaning;
};

constexpr std::array<Spelling, 35> kSpellings = {{
    {"sno", Heading::kSerialNumber},
    {"srno", Heading::kSerialNumber},
    {"slno", Heading::kSerialNumber},
    {"serialno", Heading::kSerialNumber},
    {"serialnumber", Heading::kSerialNumber},
    {"productname", Heading::kProductName},
    {"inputimageurls", Heading::kImageUrls},
    {"inputimageurl", Heading::kImageUrls},
    {"inputimages", Heading::kImageUrls},
    {"inputimage", Heading::kImageUrls},
    {"inputurls", Heading::kImageUrls},
    {"inputurl", Heading::kImageUrls},
    {"imageurls", Heading::kImageUrls},
    {"imageurl", Heading::kImageUrls},
    {"imagesurls", Heading::kImageUrls},
    {"imagesurl", Heading::kImageUrls},
    {"imagelinks", Heading::kImageUrls},
    {"imagelink", Heading::kImageUrls},
    {"imagesrc", Heading::kImageUrls},
    {"images", Heading::kImageUrls},
    {"image", Heading::kImageUrls},
    {"productimageurls", Heading::kImageUrls},
    {"productimageurl", Heading::kImageUrls},
    {"productimages", Heading::kImageUrls},
    {"productimage", Heading::kImageUrls},
    {"additionalimageurls", Heading::kImageUrls},
    {"additionalimageurl", Heading::kImageUrls},
    {"additionalimages", Heading::kImageUrls},
    {"additionalimagelinks", Heading::kImageUrls},
    {"additionalimagelink", Heading::kImageUrls},
    {"pictureurl", Heading::kImageUrls},
    {"photourl", Heading::kImageUrls},
    {"urls", Heading::kImageUrls},
    {"url", Heading::kLink},
    {"outputimageurls", Heading::kOutputUrls},
}};

// The letters (in lower case), digits and non-ASCII characters of a heading; empty if it is too
// long.
std::string bare(std::string_view heading) {
  std::string out;
  if (heading.size() > kMaxHeadingBytes) return out;
  while (!heading.empty()) {
    const char c = heading.front();
    const std::size_t blank = blank_length(heading);
    const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    if (is_letter(c) || is_digit(c) || (!is_ascii && blank == 0)) out += to_lower(c);
    heading.remove_prefix(std::max<std::size_t>(blank, 1));
  }
  return out;
}

std::string without_digits(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), is_digit), text.end());
  return text;
}

// The Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// How different a heading is from a spelling, in percent of the longer one.
std::size_t distance(std::string_view heading, std::string_view spelling) {
  if (heading.empty()) return 100;
  const std::size_t longer = std::max(heading.size(), spelling.size());
  const bool part = heading.size() >= 3 && heading.size() <= 2 * spelling.size() &&
                    (spelling.find(heading) != std::string_view::npos ||
                     heading.find(spelling) != std::string_view::npos);
  if (part) return 30;
  return 100 * edit_distance(heading, spelling) / longer;
}

}  // namespace

Heading meaning_of(std::string_view heading) {
  const std::string exact = bare(heading);
  const std::string without_number = without_digits(exact);
  for (const Spelling& spelling : kSpellings) {
    const bool numbered =
        spelling.meaning == Heading::kImageUrls || spelling.meaning == Heading::kLink;
    if (spelling.bare != (numbered ? without_number : exact)) continue;
    // "URL 2" is one of several: these are the images.
    return spelling.meaning == Heading::kLink && exact != without_number ? Heading::kImageUrls
                                                                         : spelling.meaning;
  }
  return Heading::kOther;
}

std::size_t count_known(const CsvFields& headings) {
  return static_cast<std::size_t>(std::count_if(
      headings.begin(), headings.end(),
      [](std::string_view heading) { return meaning_of(heading) != Heading::kOther; }));
}

std::size_t find_nearest(Heading wanted, const CsvFields& headings) {
  constexpr std::size_t kMaxDistance = 45;  // percent
  std::size_t nearest = std::string_view::npos;
  std::size_t least = kMaxDistance;
  for (std::size_t i = 0; i < std::min(headings.size(), kHeadingsCompared); ++i) {
    const std::string heading = without_digits(bare(headings[i]));
    if (meaning_of(headings[i]) != Heading::kOther) continue;
    for (const Spelling& spelling : kSpellings) {
      if (spelling.meaning != wanted) continue;
      const std::size_t its_distance = distance(heading, spelling.bare);
      if (its_distance >= least) continue;
      least = its_distance;
      nearest = i;
    }
  }
  return nearest;
}

bool looks_like_data(const CsvFields& record, WorkMeter& meter) {
  // A product may be named like a heading.
  const std::size_t known = count_known(record);
  if (known > 1) return false;
  for (const std::string_view cell : record) {
    if (!begins_like_urls(cell, meter)) continue;
    std::vector<std::string> urls;
    read_url_list(cell, meter, urls);
    if (std::any_of(urls.begin(), urls.end(), is_http_url)) return true;
  }
  return known == 0 && record.size() > 1 && read_serial_number(record.front(), meter).fault.empty();
}

}  // namespace imgpress
