// A CSV as it is uploaded, from its encoding to its products.
#include <string>

#include "core/input/csv/csv_encoding.hpp"
#include "core/input/csv/csv_input.hpp"
#include "core/input/url_list.hpp"
#include "core/text/utf8.hpp"
#include "target.hpp"

namespace imgpress::fuzz {
namespace {

constexpr std::uint64_t kMostWorkPerByte = 20;
constexpr std::uint64_t kMostWorkForNothing = 100'000;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string converted(std::string_view file, WorkMeter& meter) {
  std::string text;
  std::string piece(Utf8Pieces::kMaxPieceBytes, '\0');
  Utf8Pieces pieces(file);
  while (const std::size_t size = pieces.read(piece.data(), meter)) text.append(piece, 0, size);
  return text;
}

void check(const Product& product) {
  require(!product.name.empty(), "a product has a name");
  require(product.urls.size() <= kMaxUrlsPerProduct, "a product has no more URLs than it may");
  require(is_utf8(product.name), "a name is UTF-8");
  for (const std::string& url : product.urls) require(is_utf8(url), "a URL is UTF-8");
}

}  // namespace

IMGPRESS_FUZZ_TARGET(csv) {
  WorkMeter meter;
  const std::string_view file = text_of(input);
  if (find_encoding_fault(file, meter)) return;
  const std::string text = converted(file, meter);
  require(is_utf8(text), "a file without faults of encoding becomes UTF-8");
  InputFaults faults;
  std::size_t products = 0;
  CsvInput csv(text, meter, faults);
  while (const auto product = csv.next()) {
    check(*product);
    ++products;
  }
  require(products > 0 || !faults.empty(), "there are products or faults");
  for (const InputFault& fault : faults.listed()) {
    require(!fault.message.empty() && is_utf8(fault.message), "a fault has a message in UTF-8");
  }
  require(meter.total() <= kMostWorkPerByte * (file.size() + text.size()) + kMostWorkForNothing,
          "the work is linear");
}

}  // namespace imgpress::fuzz
