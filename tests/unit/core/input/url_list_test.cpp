#include "core/input/url_list.hpp"

#include <gtest/gtest.h>

#include "core/net/url.hpp"

namespace imgpress {
namespace {

using Urls = std::vector<std::string>;
const Urls kTwo = {"http://a/1.jpg", "http://a/2.jpg"};

Urls list(std::string_view cell) {
  WorkMeter meter;
  Urls urls;
  EXPECT_EQ(read_url_list(cell, meter, urls), "") << cell;
  return urls;
}

std::string fault(std::string_view cell) {
  WorkMeter meter;
  Urls urls;
  return read_url_list(cell, meter, urls);
}

TEST(UrlList, SplitsAtCommasBeforeUrls) {
  EXPECT_EQ(list("http://a/1.jpg,http://a/2.jpg"), kTwo);
  EXPECT_EQ(list(" http://a/1.jpg , HTTPS://a/2.jpg "),
            (Urls{"http://a/1.jpg", "HTTPS://a/2.jpg"}));
}

TEST(UrlList, KeepsCommasInsideUrls) {
  EXPECT_EQ(list("http://a/w_100,h_50/1.jpg,http://a/2,3.jpg"),
            (Urls{"http://a/w_100,h_50/1.jpg", "http://a/2,3.jpg"}));
  EXPECT_EQ(list("http://a/1?u=http://b/2"), Urls{"http://a/1?u=http://b/2"});
}

TEST(UrlList, DropsSurplusSeparators) {
  EXPECT_EQ(list("http://a/1.jpg,,http://a/2.jpg,, ;"), kTwo);
  EXPECT_EQ(list(",http://a/1.jpg,http://a/2.jpg"), kTwo);
  EXPECT_TRUE(list(" , ,").empty());
  EXPECT_TRUE(list("").empty());
}

TEST(UrlList, KeepsElementsThatAreNotUrls) {
  EXPECT_EQ(list("nonsense,http://a/2.jpg"), (Urls{"nonsense", "http://a/2.jpg"}));
}

TEST(UrlList, SplitsAtOtherSeparators) {
  for (const char* between : {";", "|", " ", "\n", " ; ", "\r\n", ",\n", "\t", "\xC2\xA0",
                              ",\xE2\x80\x8B", "\xEF\xBB\xBF", "\xE3\x80\x80"}) {
    const std::string cell = std::string("http://a/1;x.jpg") + between + "https://a/2|y.jpg";
    EXPECT_EQ(list(cell), (Urls{"http://a/1;x.jpg", "https://a/2|y.jpg"})) << between;
  }
}

TEST(UrlList, DropsBlanksOfEveryKindAroundAUrl) {
  for (const char* blank : {"\xC2\xA0", "\xE2\x80\x8B", "\xEF\xBB\xBF", "\xE2\x80\xAF",
                            "\xE2\x80\x8E", "\xE2\x81\xA0", "\xE3\x80\x80", "\x0B"}) {
    const std::string b = blank;
    EXPECT_EQ(list(b + "http://a/1.jpg" + b + "," + b + "http://a/2.jpg" + b), kTwo);
    EXPECT_EQ(list("{" + b + "http://a/1.jpg" + b + ",\"" + b + "http://a/2.jpg\"}"), kTwo);
  }
  // Inside a URL they stay, and so do characters that begin alike.
  EXPECT_EQ(list("http://a/my photo \xC2\xA9\xE2\x82\xAC.jpg"),
            Urls{"http://a/my photo \xC2\xA9\xE2\x82\xAC.jpg"});
}

TEST(UrlList, DropsMarksAroundASingleUrl) {
  EXPECT_EQ(list("<http://a/1.jpg>, <http://a/2.jpg>"), kTwo);
  EXPECT_EQ(list("\"http://a/1.jpg\",\"http://a/2.jpg\""), kTwo);
  EXPECT_EQ(list("'http://a/1.jpg'; 'http://a/2.jpg'"), kTwo);
  EXPECT_EQ(list("\xE2\x80\x9Chttp://a/1.jpg\xE2\x80\x9D http://a/2.jpg"), kTwo);
  EXPECT_EQ(list("http://a/it's.jpg'"), Urls{"http://a/it's.jpg'"});
}

TEST(UrlList, ReadsArraysOfPostgresql) {
  EXPECT_EQ(list("{http://a/1.jpg,http://a/2.jpg}"), kTwo);
  EXPECT_EQ(list("{\"http://a/1,http://b/2\"}"), Urls{"http://a/1,http://b/2"});
  EXPECT_EQ(list("{\"http://a/\\\"1\\\\.jpg\"}"), Urls{"http://a/\"1\\.jpg"});
  EXPECT_EQ(list("{{http://a/1.jpg},{http://a/2.jpg}}"), kTwo);
  EXPECT_EQ(list("[0:1]={http://a/1.jpg,http://a/2.jpg}"), kTwo);
  EXPECT_EQ(list("{nonsense,http://a/1.jpg}"), (Urls{"nonsense", "http://a/1.jpg"}));
  EXPECT_TRUE(list("{}").empty());
}

TEST(UrlList, EmptyElementsOfArraysOfPostgresqlKeepTheirPlaces) {
  EXPECT_EQ(list(" {\"http://a/1.jpg\", NULL ,http://a/2.jpg} "),
            (Urls{"http://a/1.jpg", "", "http://a/2.jpg"}));
  EXPECT_EQ(list("{null,\"\",\" \",http://a/1.jpg,NULL}"),
            (Urls{"", "", "", "http://a/1.jpg", ""}));
  // No-break space, zero-width space and byte order mark: PostgreSQL does not quote them.
  EXPECT_EQ(list("{\xC2\xA0,http://a/1.jpg,\xE2\x80\x8B,\xEF\xBB\xBF}"),
            (Urls{"", "http://a/1.jpg", "", ""}));
  EXPECT_EQ(list("{\"NULL\",http://a/1.jpg}"), (Urls{"NULL", "http://a/1.jpg"}));
  EXPECT_EQ(list("{{http://a/1.jpg,NULL},{NULL,http://a/2.jpg}}"),
            (Urls{"http://a/1.jpg", "", "", "http://a/2.jpg"}));
  std::string many = "{";
  for (std::size_t i = 0; i <= kMaxUrlsPerProduct; ++i) many += "NULL,";
  EXPECT_NE(fault(many + "NULL}").find("more than 100000 image URLs"), std::string::npos);
}

TEST(UrlList, ReadsArraysOfJson) {
  EXPECT_EQ(list("[\"http://a/1.jpg\",\"http://a/2.jpg\"]"), kTwo);
  EXPECT_EQ(list("[ \"http:\\/\\/a\\/1.jpg\" , null, \"http://a/2.jpg\" ]"), kTwo);
  EXPECT_EQ(list("[\"http://a/1,http://b/2\"]"), Urls{"http://a/1,http://b/2"});
  EXPECT_EQ(list("[\"http://a/\\u00e9\\u20ac\\ud83d\\ude00\\u0026\\n.jpg\"]"),
            Urls{"http://a/%C3%A9%E2%82%AC%F0%9F%98%80&%0A.jpg"});
  EXPECT_EQ(list("[\"http://a/\\u0000\\ud83dx\"]"), Urls{"http://a/%00%EF%BF%BDx"});
  EXPECT_TRUE(list("[]").empty());
}

TEST(UrlList, ReadsListsAsProgramsPrintThem) {
  EXPECT_EQ(list("['http://a/1.jpg', None, 'http://a/2.jpg']"), kTwo);
  EXPECT_EQ(list("[http://a/1.jpg, http://a/2.jpg]"), kTwo);
}

TEST(UrlList, EmptyMarkersAreEmptyLists) {
  for (const char* cell : {"NULL", "\\N", "N/A", "#N/A", "none", "nan", "-", "--", " null "}) {
    EXPECT_TRUE(list(cell).empty()) << cell;
  }
  EXPECT_EQ(list("na.jpg"), Urls{"na.jpg"});
}

TEST(UrlList, UnreadableListsAreFaults) {
  for (const char* cell :
       {"[\"http://a/1\"", "[\"http://a/1", "{\"http://a/1\"", "{http://a/1", "[1]",
        "[\"http://a/1\"] and more", "{http://a/1}}", "[\"http://a/1\" \"x\"]"}) {
    EXPECT_NE(fault(cell).find("this list of URLs cannot be read"), std::string::npos) << cell;
  }
}

TEST(UrlList, LimitsLengthAndNumber) {
  std::string many = "{";
  for (std::size_t i = 0; i <= kMaxUrlsPerProduct; ++i) many += "a,";
  EXPECT_NE(fault(many + "a}").find("more than 100000 image URLs"), std::string::npos);
  EXPECT_NE(fault("http://a/" + std::string(kMaxUrlBytes, 'x')).find("longer than"),
            std::string::npos);
}

}  // namespace
}  // namespace imgpress
