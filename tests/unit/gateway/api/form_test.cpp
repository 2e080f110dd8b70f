#include "api/form.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

class Form : public testing::Test {
 protected:
  void add(const std::string& name, std::string_view value) {
    form_.begin_part(name);
    // In two pieces, as from a network.
    form_.take(value.substr(0, value.size() / 2));
    form_.take(value.substr(value.size() / 2));
  }

  std::string fields() const { return to_text(form_.fields()); }

  std::string file() const {
    std::string text(form_.file().size(), '\0');
    text.resize(form_.file().read(0, text.data(), text.size()));
    return text;
  }

  SpoolSpace space_{"/tmp", 1 << 20};
  UploadForm form_{space_, 10'000};
};

int status_of_failure(const std::function<void()>& work) {
  try {
    work();
  } catch (const HttpError& error) {
    return error.error().code.status;
  }
  return 0;
}

TEST_F(Form, FileAndFieldsInAnyOrder) {
  add("quality", " 40 ");
  add("file", "a,b\n");
  add("effort", "");
  form_.finish();
  EXPECT_EQ(file(), "a,b\n");
  EXPECT_EQ(fields(), R"({"quality":"40","effort":null})");
}

TEST_F(Form, ValuesThatAreNoText) {
  add("a", "caf\xe9");
  add("b", std::string_view("x\0y", 3));
  add("file", "");
  form_.finish();
  EXPECT_EQ(fields(), R"({"a":{},"b":{}})");
}

TEST_F(Form, FieldsMoreThanOnce) {
  form_.add_parameters({{"quality", "1"}});
  add("quality", "2");
  add("quality", "");
  add("file", "x");
  form_.finish();
  EXPECT_EQ(fields(), R"({"quality":["1","2",null]})");
}

TEST_F(Form, LongNamesAndValuesAreCut) {
  add(std::string(5000, 'n'), std::string(9000, 'v'));
  add("file", "x");
  form_.finish();
  EXPECT_EQ(fields().size(), 100u + 4095u + 7u);
}

TEST_F(Form, MoreThanOneFile) {
  add("file", "x");
  add("file", "y");
  form_.finish();
  EXPECT_EQ(fields(), R"({"file":[]})");
  EXPECT_EQ(file(), "x");
}

TEST_F(Form, NoFile) {
  add("quality", "40");
  form_.finish();
  EXPECT_EQ(fields(), R"({"quality":"40","file":null})");
}

TEST_F(Form, TooLarge) {
  form_.begin_part("file");
  form_.take(std::string(10'000, 'x'));
  EXPECT_EQ(status_of_failure([&] { form_.take("x"); }), 413);
}

TEST_F(Form, TooManyFields) {
  EXPECT_EQ(status_of_failure([&] {
              for (int i = 0; i < 102; ++i) add("f", "x");
            }),
            400);
}

}  // namespace
}  // namespace imgpress::gateway
