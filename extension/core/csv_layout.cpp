#include "core/csv_layout.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/plain_text.hpp"
#include "core/url.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

// Headings as users write them, without case, blanks (of any kind), dots, underscores and hyphens.
constexpr std::array<std::string_view, 4> kSerialHeadings = {"sno", "srno", "serialno",
                                                             "serialnumber"};
constexpr std::array<std::string_view, 1> kNameHeadings = {"productname"};
constexpr std::array<std::string_view, 6> kUrlHeadings = {
    "inputimageurls", "inputimageurl", "imageurls", "imageurl", "urls", "url"};

std::string bare(std::string_view heading) {
  std::string out;
  for (const char c : heading) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if (c > ' ' && c <= '~' && std::string_view("._-\"").find(c) == std::string_view::npos) {
      out += c;
    }
  }
  return out;
}

template <std::size_t N>
bool is_one_of(std::string_view heading, const std::array<std::string_view, N>& known) {
  return std::find(known.begin(), known.end(), bare(heading)) != known.end();
}

bool is_known(std::string_view heading) {
  return is_one_of(heading, kSerialHeadings) || is_one_of(heading, kNameHeadings) ||
         is_one_of(heading, kUrlHeadings);
}

CsvFields split_plain(std::string_view line, char delimiter) {
  CsvFields fields;
  for (;;) {
    const std::size_t at = line.find(delimiter);
    fields.push_back(line.substr(0, at));
    if (at == std::string_view::npos) return fields;
    line.remove_prefix(at + 1);
  }
}

std::string list_of(const CsvFields& header) {
  std::string out;
  for (const std::string_view heading : header) {
    if (!out.empty()) out += ", ";
    out += quote_shortened(heading);
  }
  return out;
}

// Index of the one heading among `known`; reports none and two.
template <std::size_t N>
std::size_t find_column(int line, const CsvFields& header,
                        const std::array<std::string_view, N>& known, const char* column,
                        std::vector<InputFault>& faults) {
  std::size_t found = kAbsent;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (!is_one_of(header[i], known)) continue;
    if (found != kAbsent) faults.push_back({line, column, "the header names this column twice"});
    found = i;
  }
  if (found == kAbsent) {
    faults.push_back({line, column,
                      std::string("column missing: name it \"") + column + "\"; the header has " +
                          list_of(header)});
  }
  return found;
}

}  // namespace

char detect_delimiter(std::string_view header_line) {
  char best = ',';
  std::ptrdiff_t best_count = -1;
  for (const char candidate : {',', ';', '\t'}) {
    const CsvFields fields = split_plain(header_line, candidate);
    const auto count = std::count_if(fields.begin(), fields.end(), is_known);
    if (count > best_count) {
      best = candidate;
      best_count = count;
    }
  }
  return best;
}

std::optional<CsvLayout> CsvLayout::from_header(int line, const CsvFields& header, char delimiter,
                                                std::vector<InputFault>& faults) {
  const std::size_t faults_before = faults.size();
  CsvLayout layout;
  layout.delimiter_ = delimiter;
  layout.serial_ = find_column(line, header, kSerialHeadings, kSerialColumn, faults);
  layout.name_ = find_column(line, header, kNameHeadings, kNameColumn, faults);
  layout.urls_ = find_column(line, header, kUrlHeadings, kUrlsColumn, faults);
  if (faults.size() > faults_before) return std::nullopt;
  layout.width_ = header.size();
  while (header[layout.width_ - 1].empty())
    --layout.width_;  // ends at a known column at the latest
  return layout;
}

std::optional<ProductCells> CsvLayout::cells_of(int line, const CsvFields& row,
                                                std::string& joined_urls,
                                                std::vector<InputFault>& faults) const {
  const auto cell = [&](std::size_t i) { return i < row.size() ? row[i] : std::string_view(); };
  ProductCells cells{cell(serial_), cell(name_), cell(urls_)};
  const bool surplus = std::any_of(row.begin() + std::min(width_, row.size()), row.end(),
                                   [](std::string_view field) { return !field.empty(); });
  if (!surplus) return cells;
  if (urls_ + 1 != width_) {
    faults.push_back({line, kUrlsColumn,
                      "the row has " + std::to_string(row.size()) + " columns, the header " +
                          std::to_string(width_) + ": put the list of URLs in double quotes"});
    return std::nullopt;
  }
  const auto first_url = split_url_list(cells.urls);
  if (!first_url.empty() && !is_http_url(first_url.front())) {
    faults.push_back({line, kNameColumn,
                      "the row has more columns than the header, and " +
                          quote_shortened(first_url.front()) + " is no URL: put text with a " +
                          delimiter_name() + " in it in double quotes"});
    return std::nullopt;
  }
  joined_urls = std::string(cells.urls);
  for (std::size_t i = width_; i < row.size(); ++i) {
    joined_urls += delimiter_;
    joined_urls += row[i];
  }
  cells.urls = joined_urls;
  return cells;
}

const char* CsvLayout::delimiter_name() const {
  switch (delimiter_) {
    case ';':
      return "semicolon";
    case '\t':
      return "tab";
    default:
      return "comma";
  }
}

}  // namespace imgpress
