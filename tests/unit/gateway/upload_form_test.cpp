#include "upload_form.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

class File : public FileSink {
 public:
  void begin() override { ++begun; }
  void write(std::string_view bytes) override { content.append(bytes); }

  int begun = 0;
  std::string content;
};

class UploadFormTest : public testing::Test {
 protected:
  void part(const std::string& name, std::string_view value) {
    form.part_begins(name);
    // In two pieces, since that is how a value may come.
    form.part_continues(value.substr(0, value.size() / 2));
    form.part_continues(value.substr(value.size() / 2));
    form.part_ends();
  }

  int status_of(const std::string& name, std::string_view value) {
    try {
      part(name, value);
    } catch (const FormError& error) {
      return error.status();
    }
    return 0;
  }

  File file;
  UploadForm form{file, 100};
};

TEST_F(UploadFormTest, FieldsMayStandBeforeAndAfterTheFile) {
  part("quality", " 70\r\n");
  part("file", "a,b");
  part("webhook_url", "https://hook/");
  part("effort", "small ");
  part("other", std::string(100000, 'x'));
  form.require_file();
  EXPECT_EQ(file.begun, 1);
  EXPECT_EQ(file.content, "a,b");
  EXPECT_EQ(form.fields()["quality"], "70");
  EXPECT_EQ(form.fields()["webhook_url"], "https://hook/");
  EXPECT_EQ(form.fields()["effort"], "small");
  EXPECT_TRUE(form.fields().contains("other"));
}

TEST_F(UploadFormTest, EmptyFieldsAreAsGoodAsMissing) {
  part("quality", " ");
  part("webhook_url", "");
  part("effort", "");
  EXPECT_EQ(form.fields(),
            Json::parse(R"({"quality": null, "webhook_url": null, "effort": null})"));
}

TEST_F(UploadFormTest, AnEmptyFileIsAFile) {
  part("file", "");
  form.require_file();
  EXPECT_EQ(file.begun, 1);
}

TEST_F(UploadFormTest, NoFile) {
  EXPECT_THROW(form.require_file(), FormError);
}

TEST_F(UploadFormTest, ThereIsOneFile) {
  part("file", "a");
  EXPECT_EQ(status_of("file", "a"), 400);
  EXPECT_EQ(file.content, "a");
}

TEST_F(UploadFormTest, ARepeatedFieldIsAnArray) {
  for (const char* value : {"1", "", "2"}) part("quality", value);
  EXPECT_EQ(form.fields(), Json::parse(R"({"quality": ["1", null, "2"]})"));
}

TEST_F(UploadFormTest, AFieldThatIsNoTextIsAnObject) {
  part("quality", std::string_view("1\0002", 3));
  part("effort", "sm\xE9ll");
  EXPECT_EQ(form.fields(), Json::parse(R"({"quality": {}, "effort": {}})"));
}

TEST_F(UploadFormTest, LongValuesAndNamesAreCut) {
  part("webhook_url", std::string(5000, 'x'));
  EXPECT_EQ(form.fields()["webhook_url"].get<std::string>().size(), 4096U);  // longer than any URL
  part(std::string(5000, 'n'), "x");
  EXPECT_TRUE(form.fields().contains(std::string(100, 'n')));
  part(std::string("a\0b", 3), "x");
  EXPECT_TRUE(form.fields().contains("a?b"));
}

TEST_F(UploadFormTest, ATooLargeFile) {
  EXPECT_EQ(status_of("file", std::string(101, 'x')), 413);
}

}  // namespace
}  // namespace imgpress::gateway
