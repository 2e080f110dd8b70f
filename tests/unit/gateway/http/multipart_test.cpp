#include "http/multipart.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "http/errors.hpp"

namespace imgpress::gateway {
namespace {

using Parts = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kType = "multipart/form-data; boundary=XX";

// A parser that collects the parts.
struct Form {
  explicit Form(const std::string& type = kType)
      : parser(
            type, [this](const std::string& name) { parts.emplace_back(name, ""); },
            [this](std::string_view bytes) { parts.back().second.append(bytes); }) {}

  Parts parts;
  MultipartParser parser;
};

const std::string kBody =
    "preamble\r\n"
    "--XX\r\n"
    "Content-Disposition: form-data; name=\"webhook_url\"\r\n"
    "\r\n"
    "http://hook/\r\n"
    "--XX  \r\n"
    "content-type: text/csv\r\n"
    "CONTENT-DISPOSITION: form-data; filename=\"a;b.csv\"; name=file\r\n"
    "\r\n"
    "a,b\r\n--X\r\n\r\n--\r\n"
    "\r\n--XX\r\n"
    "Content-Disposition: form-data; name=\"empty\"\r\n"
    "\r\n"
    "\r\n--XX--\r\n"
    "epilogue";

const Parts kParts = {
    {"webhook_url", "http://hook/"}, {"file", "a,b\r\n--X\r\n\r\n--\r\n"}, {"empty", ""}};

TEST(Multipart, PartsWhateverThePiecesTheyComeIn) {
  for (std::size_t piece = 1; piece <= kBody.size(); ++piece) {
    Form form;
    for (std::size_t at = 0; at < kBody.size(); at += piece) {
      form.parser.feed(std::string_view(kBody).substr(at, piece));
    }
    EXPECT_TRUE(form.parser.complete()) << piece;
    EXPECT_EQ(form.parts, kParts) << piece;
  }
}

TEST(Multipart, FirstBoundaryAtTheVeryBeginning) {
  Form form;
  form.parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX--");
  EXPECT_TRUE(form.parser.complete());
  ASSERT_EQ(form.parts.size(), 1u);
  EXPECT_EQ(form.parts[0].second, "b");
}

TEST(Multipart, IsIncompleteWithoutItsLastBoundary) {
  Form form;
  form.parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX");
  EXPECT_FALSE(form.parser.complete());
}

TEST(Multipart, PassesContentOnWhileItComes) {
  Form form;
  form.parser.feed("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
  form.parser.feed(std::string(10000, 'x'));
  ASSERT_EQ(form.parts.size(), 1u);
  EXPECT_GT(form.parts[0].second.size(), 9900u);
}

TEST(Multipart, Faults) {
  const std::string head = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX";
  const std::string cases[] = {
      head + "more\r\n",                                        // a boundary that goes on
      head + "\r\nContent-Type: text/csv\r\n\r\nb",             // no name
      head + "\r\n\r\n\r\nb",                                   // no headers
      head + std::string(1000, ' '),                            // endless padding
      head + "\r\nContent-Type: " + std::string(20000, 'x'),    // endless header
      head + "\r\nX: " + std::string(20000, 'x') + "\r\n\r\n",  // long headers
  };
  for (const std::string& body : cases) {
    Form form;
    EXPECT_THROW(form.parser.feed(body), HttpError) << body.substr(0, 100);
  }
}

TEST(Multipart, ContentTypes) {
  EXPECT_TRUE(is_multipart("multipart/form-data; boundary=x"));
  EXPECT_TRUE(is_multipart("Multipart/Form-Data"));
  EXPECT_FALSE(is_multipart("multipart/form-datax"));
  EXPECT_FALSE(is_multipart("text/csv"));
}

TEST(Multipart, Boundaries) {
  for (const char* type :
       {"multipart/form-data; boundary=a b; charset=utf-8", "multipart/form-data;BOUNDARY=\"a b\"",
        "multipart/form-data; charset=utf-8 ; boundary = a b"}) {
    Form form(type);
    form.parser.feed("--a b\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n--a b--");
    EXPECT_TRUE(form.parser.complete()) << type;
    EXPECT_EQ(form.parts, (Parts{{"x", "y"}})) << type;
  }
  for (const std::string& bad :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
        "multipart/form-data; boundary=" + std::string(201, 'x')}) {
    EXPECT_THROW(Form form(bad), HttpError) << bad;
  }
}

TEST(Multipart, NamesOfFields) {
  const std::pair<const char*, const char*> cases[] = {
      {"form-data; name=\"a\\\"b\"", "a\"b"},
      {"form-data; filename=\"c:\\x; name=\"; name=n", "n"},
      {"form-data; flag; name = n ; x=y", "n"},
      {"form-data; name=\"open", "open"},
      {"form-data; name=\"\"", ""},
  };
  for (const auto& [disposition, name] : cases) {
    Form form;
    form.parser.feed(std::string("--XX\r\nContent-Disposition: ") + disposition + "\r\n\r\n");
    ASSERT_EQ(form.parts.size(), 1u) << disposition;
    EXPECT_EQ(form.parts[0].first, name) << disposition;
  }
  for (const char* nameless : {"form-data; filename=\"name=x\"", "name=x", ""}) {
    Form form;
    EXPECT_THROW(
        form.parser.feed(std::string("--XX\r\nContent-Disposition: ") + nameless + "\r\n\r\n"),
        HttpError)
        << nameless;
  }
}

TEST(Multipart, HoldsNothingThatIsNoPart) {
  for (const char* beginning : {"", "--XX--\r\n"}) {
    Form form;
    form.parser.feed(beginning);
    for (int i = 0; i < 1000; ++i) form.parser.feed(std::string(1 << 20, 'x'));  // 1 GB in all
    EXPECT_TRUE(form.parts.empty());
  }
}

}  // namespace
}  // namespace imgpress::gateway
