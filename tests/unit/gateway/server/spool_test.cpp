#include "server/spool.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace imgpress::gateway {
namespace {

std::string content(const Spool& spool) {
  std::string text;
  char piece[1000];
  while (const std::size_t got = spool.read(text.size(), piece, sizeof piece)) {
    text.append(piece, got);
  }
  return text;
}

TEST(Spool, KeepsWhatWasAppended) {
  SpoolSpace space("/tmp", 1 << 20);
  for (const std::size_t size : {0u, 1u, 65'535u, 65'536u, 65'537u, 300'000u}) {
    Spool spool(space);
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(i * 7 % 251);
    for (std::size_t at = 0; at < size; at += 1234)
      spool.append(std::string_view(text).substr(at, 1234));
    EXPECT_EQ(spool.size(), size);
    EXPECT_EQ(content(spool), text);
  }
}

TEST(Spool, SpaceIsShared) {
  SpoolSpace space("/tmp", 200'000);
  const std::string much(150'000, 'x');
  {
    Spool first(space);
    first.append(much);
    Spool second(space);
    EXPECT_THROW(second.append(much), SpoolFull);
    EXPECT_EQ(content(first), much);
  }
  Spool later(space);  // what the others took was given back
  later.append(much);
  EXPECT_EQ(content(later), much);
}

TEST(Spool, NothingIsSeenInTheFolder) {
  const std::filesystem::path folder = testing::TempDir() + "spool_test";
  std::filesystem::create_directory(folder);
  SpoolSpace space(folder, 1 << 20);
  Spool spool(space);
  spool.append(std::string(300'000, 'x'));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove(folder);
}

TEST(Spool, AFolderThatIsMissingIsNamed) {
  try {
    const SpoolSpace refused("/nowhere/spool", 1);
    ADD_FAILURE();
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("/nowhere/spool"), std::string::npos) << message;
    EXPECT_NE(message.find("--spool-dir"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace imgpress::gateway
