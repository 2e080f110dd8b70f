#include "http_status.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

TEST(HttpStatus, OfSqlstates) {
  const std::pair<const char*, int> cases[] = {
      {"22P04", 400}, {"22023", 400}, {"22021", 400}, {"22P02", 400}, {"P0002", 404},
      {"54000", 413}, {"08006", 503}, {"53300", 503}, {"53100", 503}, {"57014", 503},
      {"57P01", 503}, {"40001", 503}, {"25006", 503}, {"3F000", 503}, {"42883", 503},
      {"42P01", 503}, {"42501", 500}, {"P0001", 500}, {"42601", 500}, {"XX000", 500},
      {"", 500},
  };
  for (const auto& [sqlstate, status] : cases) {
    EXPECT_EQ(status_rule(sqlstate).status, status) << sqlstate;
  }
}

TEST(HttpStatus, OnlyTheCallersFaultsAreToldInPostgresqlsWords) {
  EXPECT_EQ(status_rule("22023").message, nullptr);
  EXPECT_STREQ(status_rule("P0002").message, kNoSuchRequest);  // as where the path has no uuid
  for (const char* sqlstate : {"XX000", "42501", "53100", "42883"}) {
    EXPECT_NE(status_rule(sqlstate).message, nullptr) << sqlstate;
  }
}

}  // namespace
}  // namespace imgpress::gateway
