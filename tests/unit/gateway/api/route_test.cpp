#include "api/route.hpp"

#include <gtest/gtest.h>

#include "support/output_url_cases.hpp"

namespace imgpress::gateway {
namespace {

const std::string kId = kCaseRequest;

TEST(Route, ApiWithAndWithoutTrailingSlash) {
  EXPECT_EQ(parse_route("/").resource, Resource::kPage);
  EXPECT_EQ(parse_route("/healthz").resource, Resource::kHealth);
  EXPECT_EQ(parse_route("/healthz/").resource, Resource::kHealth);
  EXPECT_EQ(parse_route("/api/upload").resource, Resource::kUpload);
  EXPECT_EQ(parse_route("/api/upload/").resource, Resource::kUpload);
  for (const std::string slash : {"", "/"}) {
    const Route status = parse_route("/api/status/" + kId + slash);
    EXPECT_EQ(status.resource, Resource::kStatus);
    EXPECT_EQ(status.request_id, kId);
    const Route products = parse_route("/api/products/" + kId + slash);
    EXPECT_EQ(products.resource, Resource::kProducts);
    EXPECT_EQ(products.request_id, kId);
  }
}

TEST(Route, ThePageByAWholeUrl) {
  for (const char* target : {"/", "http://shop.example", "HTTPS://shop.example/"}) {
    const Route route = parse_route(target);
    ASSERT_EQ(route.resource, Resource::kPage) << target;
    EXPECT_EQ(route.page_file, find_page_file("/")) << target;
  }
}

TEST(Route, AnIdThatIsNoUuidIsUnknownButOfTheResource) {
  const Route route = parse_route("/api/status/42/");
  EXPECT_EQ(route.resource, Resource::kStatus);
  EXPECT_EQ(route.request_id, "");
}

TEST(Route, Unknown) {
  for (const char* path :
       {"", "//", "/api", "/api/upload//", "/api/uploads", "/api/status", "/api/status/",
        "/api/status//", "/api/status/a/b", "/API/upload/", "/healthz/x", "/images", "/images/"}) {
    EXPECT_EQ(parse_route(path).resource, Resource::kUnknown) << path;
  }
}

TEST(Route, ImagesUnderAnyPrefix) {
  for (const std::string prefix : {"", "/shop", "/a/images/b", "/images/x/1"}) {
    const Route route = parse_route(prefix + "/images/" + kId + "/12/img1_compressed.jpg");
    EXPECT_EQ(route.resource, Resource::kImage) << prefix;
    EXPECT_EQ(route.request_id, kId);
    EXPECT_EQ(route.image_no, 12);
  }
  EXPECT_EQ(parse_route("/images/" + kId + "/0/a/b").resource, Resource::kImage);
  EXPECT_EQ(parse_route("/images/" + kId + "/0/").resource, Resource::kImage);
}

// As the HTTP library decodes a path.
std::string decoded(const std::string& path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool is_encoded = path[i] == '%';
    out += is_encoded ? static_cast<char>(std::stoi(path.substr(i + 1, 2), nullptr, 16)) : path[i];
    i += is_encoded ? 2 : 0;
  }
  return out;
}

TEST(Route, OutputUrlsLeadToTheirImages) {
  for (const OutputUrlCase& expected : output_url_cases()) {
    const std::string& url = expected.output_url;
    const std::string path = url.substr(url.find('/', url.find("://") + 3));
    const std::string behind_a_proxy = path.substr(path.find("/images/" + kId));
    for (const std::string& requested : {path, behind_a_proxy}) {
      const Route route = parse_route(decoded(requested));
      EXPECT_EQ(route.resource, Resource::kImage) << requested;
      EXPECT_EQ(route.request_id, kCaseRequest) << requested;
      EXPECT_EQ(route.image_no, kCaseImage) << requested;
    }
  }
}

TEST(Route, NoImages) {
  for (const std::string rest :
       {"", "/", "/1", "//x", "/-1/x", "/+1/x", "/1x/x", "/99999999999/x", "x/1/x"}) {
    EXPECT_EQ(parse_route("/images/" + kId + rest).resource, Resource::kUnknown) << rest;
  }
  EXPECT_EQ(parse_route("/images/42/1/x.jpg").resource, Resource::kUnknown);
}

TEST(Route, Methods) {
  EXPECT_TRUE(method_allowed(Resource::kUpload, "POST"));
  EXPECT_FALSE(method_allowed(Resource::kUpload, "GET"));
  EXPECT_STREQ(rules_of(Resource::kUpload).methods, "POST");
  EXPECT_TRUE(method_allowed(Resource::kStatus, "GET"));
  EXPECT_TRUE(method_allowed(Resource::kImage, "HEAD"));
  EXPECT_FALSE(method_allowed(Resource::kProducts, "DELETE"));
  EXPECT_STREQ(rules_of(Resource::kStatus).methods, "GET, HEAD");
}

TEST(Rules, OnlyWhatIsPublicNeedsNoKey) {
  EXPECT_STREQ(rules_of(Resource::kUpload).scope, "submit");
  EXPECT_STREQ(rules_of(Resource::kStatus).scope, "read");
  EXPECT_STREQ(rules_of(Resource::kProducts).scope, "read");
  for (const Resource open : {Resource::kPage, Resource::kHealth, Resource::kImage}) {
    EXPECT_EQ(rules_of(open).scope, nullptr);
    EXPECT_STREQ(rules_of(open).methods, "GET, HEAD");
  }
}

TEST(Uuid, Forms) {
  EXPECT_EQ(parse_uuid(kId), kId);
  EXPECT_EQ(parse_uuid("0123ABCD-4567-89EF-0123-456789ABCDEF"), kId);
  for (const char* bad :
       {"", "0123abcd456789ef0123456789abcdef", "{0123abcd-4567-89ef-0123-456789abcde}",
        "0123abcd-4567-89ef-0123-456789abcdeg", "0123abcd-4567-89ef-0123-456789abcdef0",
        "0123abcd4-567-89ef-0123-456789abcdef"}) {
    EXPECT_EQ(parse_uuid(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_uuid(std::string_view("0123abcd-4567-89ef-0123-456789abcd\0f", 36)),
            std::nullopt);
}

}  // namespace
}  // namespace imgpress::gateway
