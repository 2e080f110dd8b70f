#include "http/errors.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

TEST(DatabaseErrors, HaveTheStatusOfTheirSqlstate) {
  const std::pair<const char*, int> cases[] = {
      {"22P04", 400}, {"22023", 400}, {"22021", 400}, {"22P02", 400}, {"P0002", 404},
      {"54000", 413}, {"08006", 503}, {"53300", 503}, {"53100", 503}, {"57014", 503},
      {"57P01", 503}, {"40001", 503}, {"25006", 503}, {"3F000", 503}, {"42883", 503},
      {"42P01", 503}, {"42501", 503}, {"55P03", 503}, {"55006", 500}, {"P0001", 500},
      {"42601", 500}, {"XX000", 500}, {"", 500},
  };
  for (const auto& [sqlstate, status] : cases) {
    EXPECT_EQ(database_error(sqlstate, "", "").code.status, status) << sqlstate;
  }
}

TEST(DatabaseErrors, OnlyTheCallersFaultsAreToldInPostgresqlsWords) {
  const Error fault = database_error("22023", "quality is wrong", "Give another.");
  EXPECT_EQ(fault.message, "quality is wrong");
  EXPECT_EQ(fault.hint, "Give another.");
  // As where the path has no uuid.
  EXPECT_EQ(database_error("P0002", "secret", "secret").message, no_such_request().message);
  for (const char* sqlstate : {"XX000", "42501", "53100", "42883"}) {
    const Error error = database_error(sqlstate, "secret", "secret");
    EXPECT_EQ(error.message.find("secret"), std::string::npos) << sqlstate;
    EXPECT_EQ(error.hint, "") << sqlstate;
  }
}

TEST(LibraryErrors, HaveTheLibrarysStatus) {
  for (const int status : {400, 413, 414, 416, 431}) {
    EXPECT_EQ(library_error(status).code.status, status);
  }
  EXPECT_EQ(library_error(500).code.status, 500);
  EXPECT_EQ(library_error(501).code.status, 500);
  EXPECT_EQ(library_error(414).code.name, "uri_too_long");
}

}  // namespace
}  // namespace imgpress::gateway
