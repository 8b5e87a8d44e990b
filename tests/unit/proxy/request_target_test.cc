// What a path means to those who may read it in another way.
#include "proxy/request_target.hh"

#include <gtest/gtest.h>

namespace portolan::proxy {
namespace {

TEST(RequestTarget, ClimbsHoweverItIsWritten) {
  for (const char* path :
       {"/..", "/a/../b", "/a/..", "/a/%2e%2e/b", "/a/.%2E/b", "/a/..%2fb", "/a%2f..%2fb", "/a\\..\\b", "/a/..%5cb",
        "/a/..;/b", "/a/..;", "/a/..;x=1/b", "/a/%2e%2e;/b", "/a/..%3b/b", "/a/..%3Bx/b", "/a%2f..;b", "/..;a/../b"})
    EXPECT_TRUE(climbs(path)) << path;
  for (const char* path : {"/", "/a/b", "/a..b", "/a/...", "/a/..b", "/a../b", "/a;..", "/a;/b", "/a/.;/b", "/..a;/b",
                           "/a;x=../b", "/a/%2e%2eb", "*"})
    EXPECT_FALSE(climbs(path)) << path;
}

TEST(RequestTarget, AsMostServersReadIt) {
  struct Row {
    const char *path, *read;
  };
  for (const Row& row :
       {Row{"/a/b", "/a/b"}, Row{"/%61dmin", "/admin"}, Row{"//a", "/a"}, Row{"/./a/.", "/a/"}, Row{"/a%2fb", "/a%2fb"},
        Row{"/admin;x/b", "/admin/b"}, Row{"/admin;x", "/admin"}, Row{"/.;x/admin", "/admin"},
        Row{"/;/admin", "/admin"}, Row{"/a;b;c/d;e/", "/a/d/"}, Row{"/a%3bb", "/a%3bb"}, Row{"/%2e;/a", "/a"}}) {
    Text storage;
    EXPECT_EQ(normal_path(row.path, storage), row.read) << row.path;
  }
}

}  // namespace
}  // namespace portolan::proxy
