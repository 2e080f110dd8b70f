#include "core/input/csv/csv_layout.hpp"

#include <algorithm>

#include "core/input/url_list.hpp"
#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"
#include "core/text/utf8.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kAbsent = std::string_view::npos;
constexpr std::size_t kHeadingsNamed = 20;
constexpr std::size_t kHeadingBytes = 200;

std::string list_of(const CsvFields& header) {
  std::string out;
  for (std::size_t i = 0; i < std::min(header.size(), kHeadingsNamed); ++i) {
    if (i > 0) out += ", ";
    out += quote_shortened(header[i]);
  }
  if (header.size() > kHeadingsNamed) {
    out += " and " + std::to_string(header.size() - kHeadingsNamed) + " more";
  }
  return out;
}

void add_missing(const CsvRecord& header, Heading wanted, const char* column, InputFaults& faults) {
  const std::size_t nearest = find_nearest(wanted, header.fields);
  const std::string name = std::string("\"") + column + '"';
  faults.add({header.line, column,
              nearest != kAbsent ? "column missing: is " + quote_shortened(header.fields[nearest]) +
                                       " meant? Rename it to " + name
                                 : "column missing: add it or name it " + name +
                                       "; the header has " + list_of(header.fields)});
}

// Index of the heading with this meaning; a fault if there is none, or more than one.
std::size_t find_column(const CsvRecord& header, Heading wanted, const char* column,
                        InputFaults& faults) {
  std::size_t found = kAbsent;
  std::size_t second = kAbsent;
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    if (meaning_of(header.fields[i]) != wanted) continue;
    (found == kAbsent ? found : second) = i;
    if (second != kAbsent) break;
  }
  if (found == kAbsent) add_missing(header, wanted, column, faults);
  if (second != kAbsent) {
    faults.add({header.line, column,
                "the header names this column twice: columns " + std::to_string(found + 1) + " (" +
                    quote_shortened(header.fields[found]) + ") and " + std::to_string(second + 1) +
                    " (" + quote_shortened(header.fields[second]) + "); rename one of them"});
  }
  return found;
}

std::vector<std::size_t> find_image_columns(const CsvFields& header) {
  std::vector<std::size_t> images;
  std::vector<std::size_t> links;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const Heading meaning = meaning_of(header[i]);
    if (meaning == Heading::kImageUrls) images.push_back(i);
    if (meaning == Heading::kLink) links.push_back(i);
  }
  return images.empty() ? links : images;
}

}  // namespace

std::optional<CsvLayout> CsvLayout::from_header(const CsvRecord& header, char delimiter,
                                                WorkMeter& meter, InputFaults& faults) {
  const std::size_t faults_before = faults.count();
  const CsvFields& fields = header.fields;
  if (looks_like_data(fields, meter)) {
    faults.add({header.line, "",
                "line " + std::to_string(header.line) + " looks like data: put the header " +
                    kUsualHeader + " above it"});
    return std::nullopt;
  }
  CsvLayout layout;
  layout.delimiter_ = delimiter;
  layout.serial_ = find_column(header, Heading::kSerialNumber, kSerialColumn, faults);
  layout.name_ = find_column(header, Heading::kProductName, kNameColumn, faults);
  layout.urls_ = find_image_columns(fields);
  if (layout.urls_.empty()) add_missing(header, Heading::kImageUrls, kUrlsColumn, faults);
  if (faults.count() > faults_before) return std::nullopt;
  layout.width_ = fields.size();
  while (trim_blanks(fields[layout.width_ - 1], meter).empty()) {
    --layout.width_;  // stops at the last known column
  }
  layout.headings_.assign(fields.begin(),
                          fields.begin() + static_cast<std::ptrdiff_t>(layout.width_));
  for (std::size_t i = 0; i < layout.width_; ++i) {
    const bool is_image = std::binary_search(layout.urls_.begin(), layout.urls_.end(), i);
    if (is_image || i == layout.serial_ || i == layout.name_) continue;
    const std::string_view heading = trim_blanks(fields[i], meter);
    layout.ignored_.push_back(heading.empty()
                                  ? "column " + std::to_string(i + 1)
                                  : std::string(cut_at_character(heading, kHeadingBytes)));
  }
  return layout;
}

bool CsvLayout::is_usual() const {
  return width_ == 3 && serial_ == 0 && name_ == 1 && urls_.size() == 1;
}

CsvFields CsvLayout::fields_of(const CsvRecord& row, const ProductCells& cells) const {
  CsvFields fields = row.fields;
  fields.resize(width_);
  fields[urls_.back()] = cells.urls.back();  // with the surplus columns
  return fields;
}

bool CsvLayout::is_header(const CsvRecord& row) const {
  if (std::max(serial_, name_) >= row.fields.size()) return false;
  const std::string_view serial = row.fields[serial_];
  const bool is_number = !serial.empty() && is_digit(serial.front());
  return !is_number && meaning_of(row.fields[serial_]) == Heading::kSerialNumber &&
         meaning_of(row.fields[name_]) == Heading::kProductName;
}

bool CsvLayout::read_cells(const CsvRecord& row, WorkMeter& meter, ProductCells& cells,
                           InputFaults& faults) {
  const CsvFields& fields = row.fields;
  const auto cell = [&](std::size_t i) {
    return i < fields.size() ? fields[i] : std::string_view();
  };
  if (row.columns > kMaxRowColumns) {
    faults.add({row.line, "",
                "the row has " + std::to_string(row.columns) + " columns, more than " +
                    std::to_string(kMaxRowColumns) + ": put the list of URLs in double quotes"});
    return false;
  }
  if (row.columns == 1 && width_ > 1 && fields[0].find_first_of(",;\t|") != kAbsent) {
    faults.add({row.line, "",
                "the row has one column, the header has " + std::to_string(width_) +
                    ": separate the columns with a " + delimiter_name() + ", as the header does"});
    return false;
  }
  cells.serial_number = cell(serial_);
  cells.name = cell(name_);
  cells.urls.clear();
  for (const std::size_t column : urls_) cells.urls.push_back(cell(column));
  const bool surplus = std::any_of(
      fields.begin() + static_cast<std::ptrdiff_t>(std::min(width_, fields.size())), fields.end(),
      [&](std::string_view it) { return !trim_blanks(it, meter).empty(); });
  return !surplus || join_surplus(row, meter, cells, faults);
}

bool CsvLayout::join_surplus(const CsvRecord& row, WorkMeter& meter, ProductCells& cells,
                             InputFaults& faults) {
  if (urls_.back() + 1 != width_) {
    faults.add({row.line, kUrlsColumn,
                "the row has " + std::to_string(row.columns) + " columns, the header has " +
                    std::to_string(width_) + ": put the list of URLs in double quotes"});
    return false;
  }
  const std::string_view first = trim_blanks(cells.urls.front(), meter);
  if (!first.empty() && !begins_like_urls(first, meter)) {
    faults.add({row.line, kNameColumn,
                "the row has more columns than the header, and " + quote_shortened(first) +
                    " is not a URL: put text that contains a " + delimiter_name() +
                    " in double quotes"});
    return false;
  }
  joined_urls_.clear();
  append_metered(joined_urls_, cells.urls.back(), meter);
  for (std::size_t i = width_; i < row.fields.size(); ++i) {
    joined_urls_ += delimiter_;
    append_metered(joined_urls_, row.fields[i], meter);
  }
  cells.urls.back() = joined_urls_;
  return true;
}

std::string CsvLayout::column_name(std::size_t column) const {
  if (column == serial_) return kSerialColumn;
  if (column == name_) return kNameColumn;
  const bool is_image = std::binary_search(urls_.begin(), urls_.end(), column) || column >= width_;
  return is_image ? kUrlsColumn : "column " + std::to_string(column + 1);
}

const char* CsvLayout::delimiter_name() const {
  switch (delimiter_) {
    case ';':
      return "semicolon";
    case '\t':
      return "tab";
    case '|':
      return "bar";
    default:
      return "comma";
  }
}

}  // namespace imgpress
