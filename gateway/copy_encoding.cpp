#include "copy_encoding.hpp"

#include "ascii.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::uint32_t kUuidBytes = 16;
constexpr std::uint32_t kIntegerBytes = 4;

void append_16(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

void append_32(std::string& out, std::uint32_t value) {
  append_16(out, static_cast<std::uint16_t>(value >> 16));
  append_16(out, static_cast<std::uint16_t>(value & 0xffff));
}

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  return (c | 0x20) - 'a' + 10;
}

void append_uuid(std::string& out, std::string_view text) {
  int high = -1;
  for (const char c : text) {
    if (c == '-') continue;
    if (high < 0) {
      high = digit_value(c);
    } else {
      out += static_cast<char>(high << 4 | digit_value(c));
      high = -1;
    }
  }
}

}  // namespace

std::string copy_header() {
  std::string out("PGCOPY\n\377\r\n\0", 11);
  append_32(out, 0);  // flags
  append_32(out, 0);  // length of the header extension
  return out;
}

std::string copy_trailer() {
  return "\377\377";
}

std::string copy_row_head(std::string_view upload_id, std::int32_t part_number, std::size_t size) {
  std::string out;
  append_16(out, 3);  // columns
  append_32(out, kUuidBytes);
  append_uuid(out, upload_id);
  append_32(out, kIntegerBytes);
  append_32(out, static_cast<std::uint32_t>(part_number));
  append_32(out, static_cast<std::uint32_t>(size));
  return out;
}

}  // namespace imgpress::gateway
