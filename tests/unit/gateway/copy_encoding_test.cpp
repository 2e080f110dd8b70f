#include "copy_encoding.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

TEST(CopyEncoding, Header) {
  EXPECT_EQ(copy_header(), bytes({'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0, 0, 0, 0,
                                  0, 0, 0, 0, 0}));
}

TEST(CopyEncoding, Row) {
  EXPECT_EQ(copy_row_head("00112233-4455-6677-8899-aAbBcCdDeEfF", 258, 65537),
            bytes({0,    3,                                               // columns
                   0,    0,    0,    16,                                  // uuid
                   0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,  //
                   0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,              //
                   0,    0,    0,    4,    0,    0,    1,    2,           // int4
                   0,    1,    0,    1}));                                // bytea
}

TEST(CopyEncoding, Trailer) {
  EXPECT_EQ(copy_trailer(), bytes({0xff, 0xff}));
}

}  // namespace
}  // namespace imgpress::gateway
