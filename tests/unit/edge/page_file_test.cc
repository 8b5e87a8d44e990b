#include "edge/page_file.hh"

#include <sys/stat.h>

#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

// Every byte differs from those a page or a block away.
std::string long_body(size_t size) {
  std::string body(size, '\0');
  for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7 + i / 251 + i / 4096);
  return body;
}

blkcnt_t blocks_of(const FileRef& file) {
  struct stat about {};
  EXPECT_EQ(::fstat(file->fd(), &about), 0);
  return about.st_blocks;
}

TEST(PageFile, ARangeIsThereAsLongAsItsReference) {
  auto pages = std::make_shared<PageFile>();
  std::string text = long_body(300'000);
  Body in;
  for (size_t at = 0; at < text.size(); at += 1000) in.append(Slice::copy_of(std::string_view(text).substr(at, 1000)));
  off_t first_at = 0, second_at = 0;
  FileRef first = pages->keep(in, first_at);
  ASSERT_TRUE(first);
  Body small;
  small.append(Slice::copy_of("small"));
  FileRef second = pages->keep(small, second_at);
  ASSERT_TRUE(second);
  EXPECT_GE(second_at, first_at + 300'000);
  Body out;
  out.append(first, first_at, text.size());
  EXPECT_EQ(out.to_string(), text);
  blkcnt_t both = blocks_of(second);
  first.reset();
  EXPECT_EQ(out.to_string(), text) << "a body that still has it keeps it";
  EXPECT_EQ(blocks_of(second), both);
  out.clear();
  EXPECT_LT(blocks_of(second) * 512, 64 * 1024) << "its pages are given back";
  out.append(second, second_at, 5);
  EXPECT_EQ(out.to_string(), "small");
}

TEST(PageFile, StoredBodiesOfSomeSizeAreFileRanges) {
  Cache cache(config(), 1);
  std::string body = long_body(100'000);
  store(cache, "/a", {{"Cache-Control", "max-age=60"}}, body);
  Request request("/a");
  Lookup hit = cache.find(request.at(start_ms));
  ASSERT_EQ(hit.outcome, Outcome::hit);
  Reader whole(hit.object), part(hit.object);
  Body out;
  EXPECT_EQ(whole.read(out, 1), body.size()) << "a range costs the reader nothing, so it gets all of it";
  ASSERT_EQ(out.segment_count(), 1u);
  EXPECT_TRUE(out.begin()->file);
  EXPECT_EQ(whole.state(), Reader::State::end);
  part.select(50'001, 7);
  EXPECT_EQ(drain(part), body.substr(50'001, 7));
  EXPECT_LE(cache.stats().bytes - Cache(config(), 1).stats().bytes, 128u * 1024);
  hit.object.reset();
  EXPECT_EQ(cache.purge("http://example.com/a"), 1u);
  EXPECT_EQ(cache.stats().objects, 0u);
  EXPECT_EQ(out.to_string(), body) << "what is on its way outlives the object";
}

TEST(PageFile, SmallAndHugeBodiesStayBlocks) {
  Cache cache(config(64 << 20, 16 << 20), 1);
  for (size_t size : {Content::least_paged - 1, Content::most_paged + 1}) {
    std::string path = "/" + std::to_string(size), body = long_body(size);
    store(cache, path, {{"Cache-Control", "max-age=60"}}, body);
    Request request(path);
    Lookup hit = cache.find(request.at(start_ms));
    ASSERT_EQ(hit.outcome, Outcome::hit);
    Reader reader(hit.object);
    Body out;
    reader.read(out, 1000);
    EXPECT_FALSE(out.begin()->file);
    EXPECT_EQ(body_of(hit.object), body);
  }
}

}  // namespace
}  // namespace portolan::edge::test
