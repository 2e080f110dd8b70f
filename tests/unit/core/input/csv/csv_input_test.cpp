#include "core/input/csv/csv_input.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

using Texts = std::vector<std::string>;

class Input : public testing::Test {
 protected:
  CsvInput& open(std::string text) {
    text_ = std::move(text);
    return input_.emplace(text_, meter_, faults_);
  }
  // Reads the products, and the fields of their rows.
  void read_all() {
    while (const auto product = input_->next()) {
      names_.push_back(product->name);
      const CsvFields fields = input_->row_fields();
      rows_.emplace_back(fields.begin(), fields.end());
    }
  }

  std::string text_;
  WorkMeter meter_;
  InputFaults faults_;
  std::optional<CsvInput> input_;
  Texts names_;
  std::vector<Texts> rows_;
};

TEST_F(Input, TheUsualColumnsNeedNoFields) {
  EXPECT_EQ(
      open("S. No.,Product Name,Input Image Urls\n1,a,http://h/1\n2,b,http://h/2\n").headings(),
      (Texts{"S. No.", "Product Name", "Input Image Urls"}));
  read_all();
  EXPECT_EQ(names_, (Texts{"a", "b"}));
  EXPECT_EQ(rows_, (std::vector<Texts>{{}, {}}));
  EXPECT_TRUE(input_->ignored_columns().empty());
}

TEST_F(Input, OtherColumnsComeWithTheFieldsOfEachRow) {
  EXPECT_EQ(open("\xEF\xBB\xBF\"Colour\";Product Name;S. No.;URLs\n"
                 "\"r;e\"\"d\";a;1;http://h/1\n"
                 "\n"
                 "blue;b;2.0;http://h/2;http://h/3\n")
                .headings(),
            (Texts{"Colour", "Product Name", "S. No.", "URLs"}));
  EXPECT_EQ(input_->ignored_columns(), Texts{"Colour"});
  read_all();
  EXPECT_TRUE(faults_.empty());
  EXPECT_EQ(rows_, (std::vector<Texts>{{"r;e\"d", "a", "1", "http://h/1"},
                                       {"blue", "b", "2.0", "http://h/2;http://h/3"}}));
  EXPECT_TRUE(input_->row_fields().empty()) << "after the last row";
}

TEST_F(Input, FieldsAreThoseOfTheProductThatWasReadNotOfAFaultBeforeIt) {
  open("Note,S. No.,Product Name,URLs\nx,no number,a,http://h/1\ny,2,b,http://h/2\n");
  read_all();
  EXPECT_EQ(rows_, (std::vector<Texts>{{"y", "2", "b", "http://h/2"}}));
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].line, 2);
  EXPECT_EQ(faults_.listed()[0].column, kSerialColumn);
}

TEST_F(Input, AHeaderThatCannotBeReadHasNoHeadings) {
  EXPECT_TRUE(open("Colour,Price\nred,1\n").headings().empty());
  EXPECT_TRUE(input_->ignored_columns().empty());
  EXPECT_TRUE(input_->row_fields().empty());
  read_all();
  EXPECT_TRUE(names_.empty());
  EXPECT_FALSE(faults_.empty());
}

TEST_F(Input, ARepeatedHeaderIsAFaultOfItsLine) {
  open("S. No.,Product Name,URLs\n1,a,http://h/1\nS. No.,Product Name,URLs\n2,b,http://h/2\n");
  read_all();
  EXPECT_EQ(names_, (Texts{"a", "b"}));
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].line, 3);
}

TEST_F(Input, AFileWithoutAProductIsAFault) {
  open("S. No.,Product Name,URLs\n\n");
  read_all();
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].message, "no product row below the header: add at least one");
}

}  // namespace
}  // namespace imgpress
