#include "channel/sealed_memory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <stdexcept>
#include <string>

namespace imgpress {
namespace {

ByteView view_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text_of(int fd) {
  const SealedView view(fd);
  return {reinterpret_cast<const char*>(view.bytes().data), view.bytes().size};
}

TEST(SealedMemoryTest, HoldsTheAppendedBytes) {
  MemoryWriter writer("test");
  writer.append(view_of("one "));
  writer.append(view_of(""));
  writer.append(view_of("two"));
  EXPECT_EQ(writer.size(), 7u);
  const UniqueFd fd = writer.seal();
  EXPECT_EQ(sealed_size(fd.get()), 7u);
  EXPECT_EQ(text_of(fd.get()), "one two");
}

TEST(SealedMemoryTest, LargeContent) {
  const std::string content(5'000'000, 'x');
  const UniqueFd fd = make_sealed("test", view_of(content));
  EXPECT_EQ(text_of(fd.get()), content);
}

TEST(SealedMemoryTest, EmptyContent) {
  const UniqueFd fd = make_sealed("test", {});
  EXPECT_EQ(sealed_size(fd.get()), 0u);
  EXPECT_EQ(text_of(fd.get()), "");
}

TEST(SealedMemoryTest, CannotBeChanged) {
  const UniqueFd fd = make_sealed("test", view_of("fixed"));
  EXPECT_LT(::ftruncate(fd.get(), 0), 0);
  EXPECT_LT(::ftruncate(fd.get(), 100), 0);
  EXPECT_LT(::pwrite(fd.get(), "x", 1, 0), 0);
  EXPECT_EQ(::mmap(nullptr, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), MAP_FAILED);
  EXPECT_EQ(text_of(fd.get()), "fixed");
}

TEST(SealedMemoryTest, RefusesMemoryWithoutAllSeals) {
  const UniqueFd open_memory(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(open_memory.get(), "abc", 3), 3);
  EXPECT_THROW(sealed_size(open_memory.get()), std::runtime_error);
  EXPECT_THROW(SealedView view(open_memory.get()), std::runtime_error);
  for (const int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL}) {
    const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, all & ~missing), 0);
    EXPECT_THROW(sealed_size(fd.get()), std::runtime_error) << missing;
  }
}

TEST(SealedMemoryTest, RefusesOtherDescriptors) {
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_THROW(sealed_size(file.get()), std::runtime_error);
  EXPECT_THROW(sealed_size(-1), std::runtime_error);
}

}  // namespace
}  // namespace imgpress
