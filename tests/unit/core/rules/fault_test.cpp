#include "core/rules/fault.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/rules/formats.hpp"

namespace imgpress {
namespace {

TEST(ErrorCodes, NamesAndSqlstatesAreUnique) {
  std::set<std::string> names = {kCancelled.name};
  std::set<std::string> sqlstates;
  for (const FaultRow& row : kFaults) {
    EXPECT_TRUE(names.insert(row.code.name).second) << row.code.name;
    EXPECT_TRUE(sqlstates.insert(row.code.sqlstate).second) << row.code.name;
    if (row.fault == Fault::kNone) continue;
    EXPECT_EQ(std::string(row.code.sqlstate).size(), 5u);
    EXPECT_EQ(std::string(row.code.sqlstate).substr(0, 2), "IP");
  }
}

TEST(ErrorCodes, TheHttpStatusDecidesWhetherHttpErrorsAreTransient) {
  for (const int status : {206, 408, 425, 429, 500, 502, 503, 599}) {
    EXPECT_TRUE(is_transient(Fault::kHttpStatus, status)) << status;
  }
  for (const int status : {0, 301, 400, 403, 404, 410, 499}) {
    EXPECT_FALSE(is_transient(Fault::kHttpStatus, status)) << status;
  }
  EXPECT_FALSE(is_transient(Fault::kTls, 500)) << "the status decides for kHttpStatus only";
  EXPECT_TRUE(is_transient(Fault::kTimeout, 404));
}

TEST(ErrorCodes, TheHintNamesTheTransientStatuses) {
  const std::string hint = error_code(Fault::kHttpStatus).hint;
  for (const int status : kTransientStatuses) {
    EXPECT_NE(hint.find(std::to_string(status)), std::string::npos) << status;
  }
}

TEST(ErrorCodes, HintsNameTheSupportedFormats) {
  EXPECT_STREQ(error_code(Fault::kUnsupportedImage).hint,
               "Supported formats are JPEG, PNG, WebP and GIF.");
}

}  // namespace
}  // namespace imgpress
