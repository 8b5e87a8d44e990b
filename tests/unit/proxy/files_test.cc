// Static files, redirects and the answers made here.
#include "proxy/source/files.hh"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/http/h1.hh"
#include "proxy/source/respond.hh"

namespace portolan::proxy {
namespace {

namespace fs = std::filesystem;

struct Got {
  int status = 0;
  std::string body;
  std::optional<uint64_t> length;
  std::map<std::string, std::string> fields;
};

Got take(Source& source) {
  Got got;
  Answer answer;
  EXPECT_EQ(source.head(answer), Source::Head::ready);
  got.status = answer.status;
  got.length = answer.length;
  for (const http::Field& f : *answer.fields) got.fields[std::string(f.name)] = f.value;
  Body body;
  while (source.proceed(body, 1000) == Source::Flow::more) {
  }
  got.body = body.to_string();
  return got;
}

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() {
    char name[] = "/tmp/portolan-test-XXXXXX";
    top_ = ::mkdtemp(name);
    fs::create_directories(top_ + "/www/sub/deep");
    fs::create_directories(top_ + "/www/empty");
    write("www/index.html", "home");
    write("www/a.txt", "0123456789");
    write("www/with space.css", "css");
    write("www/sub/index.html", "sub");
    write("www/..double", "dots");
    write("secret", "SECRET");
    config.root = top_ + "/www";
  }
  ~FilesTest() override { fs::remove_all(top_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(top_ + "/" + name) << text; }
  Got get(const std::string& path, const std::string& fields = "", const std::string& method = "GET") {
    std::string text = method + " " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    http::RequestParser parser;
    EXPECT_EQ(parser.next(text).event, http::Event::head) << text;
    auto source = Files::open(config, parser.head(), 1'700'000'000, rng, &kept);
    return take(*source);
  }
  void advance(int64_t ms) {
    clock_.advance_ms(ms);
    worker_.turn(0);
  }
  std::string top_;
  FilesConfig config;
  Rng rng{1};

 private:
  FakeClock clock_;
  metrics::Registry registry_;
  loop::Worker worker_{0, "test", clock_, 1, registry_.add_shard()};

 protected:
  OpenFiles kept{worker_};
};

TEST_F(FilesTest, FilesAndTheirTypes) {
  Got a = get("/a.txt");
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.body, "0123456789");
  EXPECT_EQ(a.length, 10u);
  EXPECT_EQ(a.fields["Content-Type"], "text/plain; charset=utf-8");
  EXPECT_EQ(a.fields["Accept-Ranges"], "bytes");
  EXPECT_TRUE(a.fields.count("ETag") && a.fields.count("Last-Modified"));
  EXPECT_EQ(get("/with%20space.css").fields["Content-Type"], "text/css; charset=utf-8");
  EXPECT_EQ(get("/..double").body, "dots");  // a name that only looks like climbing
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/a.txt/").status, 404);
  EXPECT_EQ(get("/a.txt/x").status, 404);
  EXPECT_EQ(get("/A.txt").status, 404);
}

TEST_F(FilesTest, DirectoriesHaveIndexesAndAFinalSlash) {
  EXPECT_EQ(get("/").body, "home");
  EXPECT_EQ(get("/sub/").body, "sub");
  Got moved = get("/sub?q=1");
  EXPECT_EQ(moved.status, 301);
  EXPECT_EQ(moved.fields["Location"], "/sub/?q=1");
  EXPECT_EQ(get("/empty/").status, 404);
  config.index = {"nothing.html", "a.txt"};
  kept.clear();
  EXPECT_EQ(get("/").body, "0123456789");
}

TEST_F(FilesTest, AFileAskedForAgainIsNotOpenedAgain) {
  EXPECT_EQ(get("/a.txt").body, "0123456789");
  EXPECT_EQ(get("/a.txt", "Range: bytes=2-4\r\n").body, "234");
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_EQ(get("/").body, "home");
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(kept.size(), 2u);
}

TEST_F(FilesTest, AChangeOfAKeptFileIsSeenAtOnce) {
  std::string etag = get("/a.txt").fields["ETag"];
  write("www/a.txt", "longer than before");
  Got longer = get("/a.txt");
  EXPECT_EQ(longer.body, "longer than before");
  EXPECT_NE(longer.fields["ETag"], etag);
  write("www/a.new", "another");
  fs::rename(top_ + "/www/a.new", top_ + "/www/a.txt");
  EXPECT_EQ(get("/a.txt").body, "another");
  fs::remove(top_ + "/www/a.txt");
  EXPECT_EQ(get("/a.txt").status, 404);
}

TEST_F(FilesTest, ANewTreeIsSeenWithinASecond) {
  EXPECT_EQ(get("/sub/index.html").body, "sub");
  fs::rename(top_ + "/www", top_ + "/before");
  fs::create_directories(top_ + "/www/sub");
  write("www/sub/index.html", "new");
  advance(1000);
  EXPECT_EQ(get("/sub/index.html").body, "new");
}

TEST_F(FilesTest, WhatNobodyAsksForIsClosed) {
  for (int i = 0; i < 5; ++i) {
    get("/a.txt");
    advance(900);
  }
  get("/");
  EXPECT_EQ(kept.size(), 2u);
  advance(1100);
  get("/a.txt");
  advance(1100);
  EXPECT_EQ(kept.size(), 1u);
  advance(2200);
  EXPECT_EQ(kept.size(), 0u);
  for (int i = 0; i < 300; ++i) {
    write("www/" + std::to_string(i), "x");
    EXPECT_EQ(get("/" + std::to_string(i)).status, 200);
  }
  EXPECT_EQ(kept.size(), OpenFiles::most);
}

TEST_F(FilesTest, WhatStandsBesideAFileIsSentToWhomTakesIt) {
  config.precompressed = {http::Coding::br, http::Coding::gzip};
  write("www/a.txt.br", "BR");
  write("www/a.txt.gz", "GZIP");
  write("www/sub/index.html.gz", "SUB");
  Got plain = get("/a.txt"), br = get("/a.txt", "Accept-Encoding: gzip, br\r\n");
  EXPECT_EQ(plain.body, "0123456789");
  EXPECT_FALSE(plain.fields.count("Content-Encoding"));
  EXPECT_EQ(br.body, "BR");
  EXPECT_EQ(br.length, 2u);
  EXPECT_EQ(br.fields["Content-Encoding"], "br");
  EXPECT_EQ(br.fields["Content-Type"], plain.fields["Content-Type"]);
  EXPECT_NE(br.fields["ETag"], plain.fields["ETag"]);
  for (const Got* got : {&plain, &br}) EXPECT_EQ(got->fields.at("Vary"), "Accept-Encoding");
  EXPECT_EQ(get("/a.txt", "Accept-Encoding: gzip, br;q=0.1\r\n").body, "GZIP");
  EXPECT_EQ(get("/a.txt", "Accept-Encoding: zstd\r\n").body, "0123456789");
  EXPECT_EQ(get("/sub/", "Accept-Encoding: gzip\r\n").body, "SUB");
  EXPECT_EQ(get("/index.html", "Accept-Encoding: gzip\r\n").body, "home") << "there is none beside it";
  Got part = get("/a.txt", "Accept-Encoding: gzip\r\nRange: bytes=1-2\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "ZI");
  Got same = get("/a.txt", "Accept-Encoding: br\r\nIf-None-Match: " + br.fields["ETag"] + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.fields["ETag"], br.fields["ETag"]);
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + br.fields["ETag"] + "\r\n").status, 200);
  config.precompressed.clear();
  kept.clear();
  EXPECT_EQ(get("/a.txt", "Accept-Encoding: br\r\n").body, "0123456789");
}

TEST_F(FilesTest, WhatStandsBesideAFileIsNoOlderAndSeenWhenItChanges) {
  config.precompressed = {http::Coding::br, http::Coding::zstd, http::Coding::gzip};
  write("www/a.txt.zst", "ZSTD");
  const std::string zstd = "Accept-Encoding: zstd\r\n";
  EXPECT_EQ(get("/a.txt", zstd).body, "ZSTD");
  write("www/a.txt.zst", "ANOTHER");
  EXPECT_EQ(get("/a.txt", zstd).body, "ANOTHER");
  fs::remove(top_ + "/www/a.txt.zst");
  EXPECT_EQ(get("/a.txt", zstd).body, "0123456789");
  write("www/a.txt.zst", "OLD");
  fs::last_write_time(top_ + "/www/a.txt.zst", fs::last_write_time(top_ + "/www/a.txt") - std::chrono::seconds(5));
  advance(1000);
  EXPECT_EQ(get("/a.txt", zstd).body, "0123456789") << "of an older file";
  fs::create_symlink(top_ + "/secret", top_ + "/www/a.txt.gz");
  advance(1000);
  EXPECT_EQ(get("/a.txt", "Accept-Encoding: gzip\r\n").body, "0123456789") << "no way out of the root";
}

TEST_F(FilesTest, ARedirectToADirectoryStaysOnThisHost) {
  fs::create_directories(top_ + "/www/evil.example");
  Got moved = get("//evil.example");
  EXPECT_EQ(moved.status, 301);
  EXPECT_EQ(moved.fields["Location"], "/evil.example/");
}

TEST_F(FilesTest, NoPathLeadsOut) {
  for (const char* path : {"/../secret", "/sub/../../secret", "/%2e%2e/secret", "/%2E%2e/secret", "/.%2e/secret",
                           "/sub/..%2f..%2fsecret", "/..%5csecret", "/%2fetc/passwd", "/a.txt%00.html", "/%00",
                           "/sub%2f", "//../secret", "/./../secret", "/%zz", "/%2"}) {
    Got got = get(path);
    EXPECT_TRUE(got.status == 400 || got.status == 404) << path << " gave " << got.status;
    EXPECT_EQ(got.body.find("SECRET"), std::string::npos) << path;
  }
  EXPECT_EQ(get("/%2e%2e%2fsecret").status, 400);
  EXPECT_EQ(get("//a.txt").body, "0123456789");
}

TEST_F(FilesTest, NoLinkLeadsOut) {
  fs::create_symlink("../secret", top_ + "/www/link");
  fs::create_symlink(top_ + "/secret", top_ + "/www/absolute");
  fs::create_directory_symlink("..", top_ + "/www/up");
  fs::create_symlink("a.txt", top_ + "/www/inside");
  fs::create_symlink("/proc/self/cwd/README.md", top_ + "/www/magic");
  for (const char* path : {"/link", "/absolute", "/up/secret", "/magic"}) EXPECT_NE(get(path).status, 200) << path;
  EXPECT_EQ(get("/inside").body, "0123456789");
}

TEST_F(FilesTest, ASwappedRootIsTheNewTree) {
  fs::create_directories(top_ + "/v1");
  fs::create_directories(top_ + "/v2");
  write("v1/x", "one");
  write("v2/x", "two");
  fs::create_directory_symlink("v1", top_ + "/current");
  config.root = top_ + "/current";
  EXPECT_EQ(get("/x").body, "one");
  fs::create_directory_symlink("v2", top_ + "/next");
  fs::rename(top_ + "/next", top_ + "/current");
  advance(1000);
  EXPECT_EQ(get("/x").body, "two");
}

TEST_F(FilesTest, WhatIsNoFileIsNotServed) {
  ASSERT_EQ(::mkfifo((top_ + "/www/pipe").c_str(), 0600), 0);
  EXPECT_EQ(get("/pipe").status, 404);  // and opening it doesn't wait for a writer
  config.root = top_ + "/nowhere";
  EXPECT_EQ(get("/a.txt").status, 404);
}

TEST_F(FilesTest, APrefixIsTakenOff) {
  config.strip_prefix = "/static/";
  EXPECT_EQ(get("/static/a.txt").body, "0123456789");
  EXPECT_EQ(get("/static/").body, "home");
  EXPECT_EQ(get("/staticx/a.txt").status, 404);
  EXPECT_EQ(get("/a.txt").status, 404);
}

TEST_F(FilesTest, OnlyReadingIsAllowed) {
  Got post = get("/a.txt", "Content-Length: 0\r\n", "POST");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.fields["Allow"], "GET, HEAD");
  Got head = get("/a.txt", "", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.length, 10u);
}

TEST_F(FilesTest, Ranges) {
  Got part = get("/a.txt", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.length, 3u);
  EXPECT_EQ(part.fields["Content-Range"], "bytes 2-4/10");
  EXPECT_EQ(get("/a.txt", "Range: bytes=-3\r\n").body, "789");
  EXPECT_EQ(get("/a.txt", "Range: bytes=8-100\r\n").body, "89");
  Got none = get("/a.txt", "Range: bytes=10-\r\n");
  EXPECT_EQ(none.status, 416);
  EXPECT_EQ(none.body, "");
  EXPECT_EQ(none.fields["Content-Range"], "bytes */10");
  Got two = get("/a.txt", "Range: bytes=0-1,-2\r\n");
  EXPECT_EQ(two.status, 206);
  std::string type = two.fields["Content-Type"];
  ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary=")) << type;
  EXPECT_EQ(two.fields.count("Content-Range"), 0u);
  std::string mark = "\r\n--" + type.substr(type.find('=') + 1);
  std::string before = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ";
  EXPECT_EQ(two.body, mark + before + "0-1/10\r\n\r\n01" + mark + before + "8-9/10\r\n\r\n89" + mark + "--\r\n");
  EXPECT_EQ(two.length, two.body.size());
  EXPECT_EQ(get("/a.txt", "Range: bytes=0-1,1-2\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "Range: lines=1-2\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "Range: bytes=4-2\r\n").status, 200);
  std::string tag = get("/a.txt").fields["ETag"];
  EXPECT_EQ(get("/a.txt", "Range: bytes=0-0\r\nIf-Range: " + tag + "\r\n").status, 206);
  EXPECT_EQ(get("/a.txt", "Range: bytes=0-0\r\nIf-Range: \"other\"\r\n").status, 200);
}

TEST_F(FilesTest, Conditions) {
  Got plain = get("/a.txt");
  std::string tag = plain.fields["ETag"], date = plain.fields["Last-Modified"];
  Got same = get("/a.txt", "If-None-Match: \"x\", " + tag + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same.fields["ETag"], tag);
  EXPECT_EQ(get("/a.txt", "If-None-Match: W/" + tag + "\r\n").status, 304);
  EXPECT_EQ(get("/a.txt", "If-None-Match: \"x\"\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "If-Modified-Since: " + date + "\r\n").status, 304);
  EXPECT_EQ(get("/a.txt", "If-None-Match: \"x\"\r\nIf-Modified-Since: " + date + "\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "If-Match: \"x\"\r\n").status, 412);
  EXPECT_EQ(get("/a.txt", "If-Match: *\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").status, 412);
  write("www/a.txt", "changed");
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + tag + "\r\n").status, 200);
}

TEST(Respond, TextsErrorsAndRedirects) {
  Respond text(200, "hello", "text/x");
  Got got = take(text);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body + got.fields["Content-Type"], "hellotext/x");
  EXPECT_EQ(got.length, 5u);
  Got error = take(*Respond::error(503));
  EXPECT_EQ(error.body, "503 Service Unavailable\n");
  EXPECT_EQ(error.fields["Retry-After"] + error.fields["Cache-Control"], "5no-store");
  EXPECT_FALSE(take(*Respond::error(502)).fields.count("Retry-After"));
  Got moved = take(*Respond::redirect(308, "https://b/"));
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(moved.fields["Location"], "https://b/");
  EXPECT_EQ(moved.body, "");
}

}  // namespace
}  // namespace portolan::proxy
