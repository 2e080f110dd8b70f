#include "core/input/csv/file_kind.hpp"

#include <gtest/gtest.h>

#include <string>

namespace imgpress {
namespace {

using namespace std::string_view_literals;

std::string kind(std::string_view bytes) {
  const char* name = foreign_kind(bytes);
  return name == nullptr ? "" : name;
}

TEST(ForeignKind, IsRecognisedByTheFirstBytes) {
  EXPECT_EQ(kind("\xFF\xD8\xFF\xE0\0\x10JFIF"sv), "a JPEG image");
  EXPECT_EQ(kind("\x89PNG\r\n\x1A\n"sv), "a PNG image");
  EXPECT_EQ(kind("GIF89a"), "a GIF image");
  EXPECT_EQ(kind("RIFF\1\2\3\4WEBPVP8 "sv), "a WebP image");
  EXPECT_EQ(kind("\0\0\0\x1C"
                 "ftypavif"sv),
            "an AVIF image");
  EXPECT_EQ(kind("%PDF-1.7\n"), "a PDF");
  EXPECT_EQ(kind("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), "a spreadsheet (or another Office document)");
  EXPECT_EQ(kind("\x1F\x8B\x08"), "an archive (gzip)");
}

TEST(ForeignKind, TellsArchivesApartByTheirFiles) {
  EXPECT_EQ(kind("PK\x03\x04............[Content_Types].xml"), "a spreadsheet");
  EXPECT_EQ(kind("PK\x03\x04......mimetypeapplication/vnd.oasis.opendocument.spreadsheet"),
            "a spreadsheet");
  EXPECT_EQ(kind("PK\x03\x04............[Content_Types].xml....word/document.xml"),
            "a text document");
  EXPECT_EQ(kind("PK\x03\x04............photo.jpg"), "a spreadsheet (or another archive)");
}

TEST(ForeignKind, IsRecognisedByTheFirstWords) {
  EXPECT_EQ(kind("<!DOCTYPE html>\n<html>"), "HTML");
  EXPECT_EQ(kind("\n  <HTML lang=en>"), "HTML");
  EXPECT_EQ(kind("\xEF\xBB\xBF<?xml version='1.0'?>"), "XML");
  EXPECT_EQ(kind("[ {\n \"id\": 1"), "JSON");
  EXPECT_EQ(kind("{ \"products\": ["), "JSON");
}

TEST(ForeignKind, ACsvIsNone) {
  for (const char* csv :
       {"", "S. No.,Product Name,URLs\n", "Product,WEBP Url\n", "abc,ftypavif\n", "GIF89 price,x\n",
        "{http://a/1},x\n", "[\"http://a/1\"],x\n", "PK,BZh\n"}) {
    EXPECT_EQ(kind(csv), "") << csv;
  }
}

}  // namespace
}  // namespace imgpress
