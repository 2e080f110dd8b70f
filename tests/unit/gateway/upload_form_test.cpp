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
  EXPECT_EQ(form.quality(), "70");
  EXPECT_EQ(form.webhook_url(), "https://hook/");
  EXPECT_EQ(form.effort(), "small");
}

TEST_F(UploadFormTest, EmptyFieldsAreAsGoodAsMissing) {
  part("quality", " ");
  part("webhook_url", "");
  part("effort", "");
  EXPECT_EQ(form.quality(), std::nullopt);
  EXPECT_EQ(form.effort(), std::nullopt);
  EXPECT_EQ(form.webhook_url(), std::nullopt);
}

TEST_F(UploadFormTest, AnEmptyFileIsAFile) {
  part("file", "");
  form.require_file();
  EXPECT_EQ(file.begun, 1);
}

TEST_F(UploadFormTest, NoFile) {
  EXPECT_THROW(form.require_file(), FormError);
}

TEST_F(UploadFormTest, NothingTwice) {
  part("file", "a");
  part("quality", "1");
  part("webhook_url", "");
  part("effort", "fast");
  EXPECT_EQ(status_of("file", "a"), 400);
  EXPECT_EQ(status_of("quality", "1"), 400);
  EXPECT_EQ(status_of("effort", "fast"), 400);
  EXPECT_EQ(status_of("webhook_url", "http://hook/"), 400);
  EXPECT_EQ(file.content, "a");
}

TEST_F(UploadFormTest, QualityIsAnInteger) {
  for (const char* bad : {"x", "5.5", "50%", "0x10", "99999999999", "5 0", "+40"}) {
    File other;
    UploadForm fresh(other, 100);
    fresh.part_begins("quality");
    fresh.part_continues(bad);
    EXPECT_THROW(fresh.part_ends(), FormError) << bad;
  }
  EXPECT_EQ(status_of("quality", "-5"), 0);  // the range is for the database to judge
}

TEST_F(UploadFormTest, ASignedQualityIsToldWhatItShouldBe) {
  try {
    part("quality", "+40");
    ADD_FAILURE() << "+40 was accepted";
  } catch (const FormError& error) {
    EXPECT_NE(std::string(error.what()).find("no plus sign"), std::string::npos) << error.what();
  }
}

TEST_F(UploadFormTest, LimitsAndZeroBytes) {
  EXPECT_EQ(status_of("webhook_url", std::string(5000, 'x')), 400);
  EXPECT_EQ(status_of("quality", std::string_view("1\0002", 3)), 400);
  EXPECT_EQ(status_of("file", std::string(100, 'x')), 0);
}

TEST_F(UploadFormTest, ATooLargeFile) {
  EXPECT_EQ(status_of("file", std::string(101, 'x')), 413);
}

}  // namespace
}  // namespace imgpress::gateway
