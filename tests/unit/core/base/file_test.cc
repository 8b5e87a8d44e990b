#include "core/base/file.hh"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace portolan {
namespace {

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "portolan-file-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~FileTest() override { std::filesystem::remove_all(path); }
  std::unique_ptr<File> open(const std::string& name, FileSystem::Open how = FileSystem::Open::create) {
    auto file = real_files().open(path + "/" + name, how);
    EXPECT_TRUE(file) << file.error().text;
    return std::move(*file);
  }
  std::string path;
};

TEST_F(FileTest, ReadsWhatWasWrittenAndNoMore) {
  auto file = open("a");
  ASSERT_TRUE(file->write_at(std::string("hello"), 3));
  std::string bytes(10, 'x');
  auto n = file->read_at(bytes, 0);
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, 8u);
  EXPECT_EQ(bytes, std::string("\0\0\0helloxx", 10));
  EXPECT_EQ(*file->size(), 8u);
  ASSERT_TRUE(file->resize(4));
  EXPECT_EQ(*file->size(), 4u);
  EXPECT_TRUE(file->sync());
}

TEST_F(FileTest, SaysWhatFailedAndWhy) {
  auto missing = real_files().open(path + "/none", FileSystem::Open::write);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_NE(missing.error().text.find(path + "/none"), std::string::npos);
  open("a");
  auto file = open("a", FileSystem::Open::read);
  EXPECT_FALSE(file->write_at(std::string("x"), 0));
  EXPECT_FALSE(real_files().list(path + "/none"));
  EXPECT_EQ(real_files().remove(path + "/none").error().code, ENOENT);
}

TEST_F(FileTest, OneHasTheLock) {
  auto first = open("a"), second = open("a");
  EXPECT_TRUE(first->lock());
  ASSERT_FALSE(second->lock());
  EXPECT_EQ(second->lock().error().code, EWOULDBLOCK);
  first.reset();
  EXPECT_TRUE(second->lock());
}

TEST_F(FileTest, DirectoriesAreMadeListedAndSynced) {
  EXPECT_TRUE(real_files().make_directories(path + "/x/y/z"));
  EXPECT_TRUE(real_files().make_directories(path + "/x/y/z"));
  open("x/one");
  auto names = real_files().list(path + "/x");
  ASSERT_TRUE(names);
  EXPECT_EQ(names->size(), 2u);
  EXPECT_TRUE(real_files().sync_directory(path + "/x"));
  EXPECT_TRUE(real_files().rename(path + "/x/one", path + "/x/two"));
  EXPECT_TRUE(std::filesystem::exists(path + "/x/two"));
  EXPECT_GT(*real_files().free_bytes(path), 0u);
}

// What a pipe has by reference stays as it was; the file reads as zeros.
TEST_F(FileTest, DiscardingLeavesWhatIsUnderWay) {
  auto file = open("a");
  ASSERT_TRUE(file->allocate(0, 1 << 20));
  EXPECT_EQ(*file->size(), 1u << 20);
  ASSERT_TRUE(file->write_at(std::string(16 << 10, 'a'), 64 << 10));
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  loff_t at = 64 << 10;
  ASSERT_EQ(::splice(file->handle()->fd(), &at, pipe[1], nullptr, 16 << 10, 0), 16 << 10);
  ASSERT_TRUE(file->discard(64 << 10, 16 << 10));
  ASSERT_TRUE(file->write_at(std::string(16 << 10, 'b'), 64 << 10));
  std::string bytes(16 << 10, '\0');
  ASSERT_EQ(::read(pipe[0], bytes.data(), bytes.size()), 16 << 10);
  EXPECT_TRUE(bytes == std::string(16 << 10, 'a'));
  ::close(pipe[0]);
  ::close(pipe[1]);
  ASSERT_TRUE(file->discard(0, 1 << 20));
  ASSERT_TRUE(file->read_at(bytes, 64 << 10));
  EXPECT_TRUE(bytes == std::string(16 << 10, '\0'));
  EXPECT_EQ(*file->size(), 1u << 20);
}

TEST_F(FileTest, ALoopCanAskWhetherASendWouldWait) {
  auto file = open("a");
  ASSERT_TRUE(file->write_at(std::string(1 << 20, 'a'), 0));
  EXPECT_TRUE(in_page_cache(*file->handle(), 0, 1 << 20));
  ASSERT_TRUE(file->sync());
  if (::posix_fadvise(file->handle()->fd(), 0, 0, POSIX_FADV_DONTNEED) == 0 &&
      !in_page_cache(*file->handle(), 512 << 10, 512 << 10)) {
    EXPECT_TRUE(file->warm(0, 1 << 20));
  }
  EXPECT_TRUE(in_page_cache(*file->handle(), 0, 1 << 20));
}

}  // namespace
}  // namespace portolan
