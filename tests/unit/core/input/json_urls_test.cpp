#include "core/input/json_urls.hpp"

#include <gtest/gtest.h>

#include "core/input/url_list.hpp"
#include "core/net/url.hpp"

namespace imgpress {
namespace {

using Urls = std::vector<std::string>;

Urls read(std::string_view json) {
  WorkMeter meter;
  Urls urls;
  EXPECT_EQ(read_json_urls(json, meter, urls), "") << json;
  return urls;
}

std::string fault(std::string_view json) {
  WorkMeter meter;
  Urls urls;
  return read_json_urls(json, meter, urls);
}

TEST(JsonUrls, ReadsTextsObjectsAndArraysOfThem) {
  EXPECT_EQ(read(R"("http://a/1,http://a/2")"), Urls{"http://a/1,http://a/2"});
  EXPECT_EQ(read(R"({"url": "http://a/1"})"), Urls{"http://a/1"});
  EXPECT_EQ(read(R"( [ "http://a/1" , {"src": "http:\/\/a\/2"}, {"href":" http://a/3 "} ] )"),
            (Urls{"http://a/1", "http://a/2", "http://a/3"}));
  EXPECT_EQ(read("[]"), Urls{});
}

TEST(JsonUrls, WhatIsNullOrEmptyKeepsItsPlace) {
  EXPECT_EQ(read("null"), Urls{""});
  EXPECT_EQ(read(R"([null, "", {"url": null}, {"src": ""}, "http://a/1"])"),
            (Urls{"", "", "", "", "http://a/1"}));
}

TEST(JsonUrls, OfSeveralFieldsUrlComesFirstUnlessItIsEmpty) {
  EXPECT_EQ(read(R"({"href": "http://a/h", "src": "http://a/s", "url": "http://a/u"})"),
            Urls{"http://a/u"});
  EXPECT_EQ(read(R"({"url": null, "href": "http://a/h", "src": "http://a/s"})"),
            Urls{"http://a/s"});
}

TEST(JsonUrls, OtherFieldsMayHoldAnything) {
  EXPECT_EQ(read(R"({"sizes": [{"w": 1, "url": "http://a/no"}, [[]], {}], "alt": "]}\"",
                     "n": -1.5e3, "ok": true, "src": "http://a/1", "tags": []})"),
            Urls{"http://a/1"});
}

TEST(JsonUrls, AFaultNamesTheElement) {
  EXPECT_EQ(fault(R"(["http://a/1", ["http://a/2"]])"),
            "element 2 is a list of its own: write all URLs into one list");
  EXPECT_EQ(fault("[null, 7]"), "element 2 is neither a URL nor an object with url, src or href");
  EXPECT_EQ(fault("true"), "the JSON value is neither a URL nor an object with url, src or href");
  EXPECT_EQ(fault(R"([{"Image": "http://a/1"}])"),
            "element 1 has none of the fields url, src and href");
  EXPECT_EQ(fault("{}"), "the JSON value has none of the fields url, src and href");
  EXPECT_EQ(fault(R"([{"url": {"large": "http://a/1"}}])"),
            "element 1 has a url, src or href that is no text");
  EXPECT_EQ(fault(R"([{"url": 5}])"), "element 1 has a url, src or href that is no text");
}

TEST(JsonUrls, WhatIsNoJsonIsAFault) {
  for (const char* text :
       {"", "[", "[\"http://a/1\"", "{", "{\"url\"", "{\"url\":", "{\"url\":\"http://a/1\"",
        "{\"url\" \"http://a/1\"}", "{url: 1}", "[] []", "[\"a\" \"b\"]", "{\"a\": [}", "\"",
        "[{\"a\":}]", "]", "{\"a\":1,}", "[,]"}) {
    EXPECT_NE(fault(text), "") << text;
  }
}

TEST(JsonUrls, LimitsLengthAndNumber) {
  std::string many = "[null";
  for (std::size_t i = 0; i < kMaxUrlsPerProduct; ++i) many += ",null";
  EXPECT_NE(fault(many + "]").find("more than 100000 image URLs"), std::string::npos);
  EXPECT_NE(fault('"' + std::string(kMaxUrlBytes + 1, 'x') + '"').find("longer than"),
            std::string::npos);
}

TEST(JsonUrls, ALineOfTextMayHoldObjects) {
  WorkMeter meter;
  Urls urls;
  EXPECT_EQ(read_url_list(R"([{"src": "http://a/1"}, "http://a/2"])", meter, urls), "");
  EXPECT_EQ(read_url_list(R"({'url': 'http://a/3', 'alt': None})", meter, urls), "");
  EXPECT_EQ(read_url_list(R"({"http://a/4","http://a/5"})", meter, urls), "");
  EXPECT_EQ(urls, (Urls{"http://a/1", "http://a/2", "http://a/3", "http://a/4", "http://a/5"}));
}

}  // namespace
}  // namespace imgpress
