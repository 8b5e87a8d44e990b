#include "core/conf/load.hh"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace portolan::conf {
namespace {

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/conf_load_XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& name, std::string_view text) {
    std::filesystem::path path = directory_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  // Errors without the directory.
  std::vector<std::string> errors(const Tree& tree) {
    std::vector<std::string> out;
    for (std::string e : tree.errors) {
      for (size_t at; (at = e.find(directory_ + "/")) != std::string::npos;) e.erase(at, directory_.size() + 1);
      out.push_back(e);
    }
    return out;
  }
  std::string directory_;
};

TEST(Parse, KeepsPlacesAndKinds) {
  auto value = parse("a = 1\n[b.c]\nd = [ true, \"x\", 1.5 ]\n", "f");
  ASSERT_TRUE(value) << value.error().text;
  const Member* a = value->find("a");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->where.text(), "f:1:1");
  EXPECT_EQ(a->value.where.text(), "f:1:5");
  const Value& d = value->find("b")->value.find("c")->value.find("d")->value;
  ASSERT_EQ(d.items.size(), 3u);
  EXPECT_EQ(d.items[0].kind, Value::Kind::boolean);
  EXPECT_EQ(d.items[1].string, "x");
  EXPECT_EQ(d.items[2].real, 1.5);
  EXPECT_EQ(d.items[1].where.text(), "f:3:13");
}

TEST(Parse, MembersStandInTheOrderWritten) {
  auto value = parse("z = 1\na = 2\nm = 3\n", "f");
  ASSERT_TRUE(value);
  ASSERT_EQ(value->members.size(), 3u);
  EXPECT_EQ(value->members[0].key, "z");
  EXPECT_EQ(value->members[2].key, "m");
}

TEST(Parse, SyntaxErrorsHaveTheirPlace) {
  for (const auto& [text, place] : std::vector<std::pair<std::string, std::string>>{{"a = \n", "f:1:"},
                                                                                    {"a = 1\nb = [1,\n", "f:"},
                                                                                    {"a = 1\na = 2\n", "f:2:"},
                                                                                    {"\xff = 1", "f:1:"},
                                                                                    {"[=", "f:1:"},
                                                                                    {"[[\n", "f:1:"},
                                                                                    {"[a.=]", "f:1:"},
                                                                                    {"a.= = 1", "f:1:"},
                                                                                    {"a = [=]", "f:1:"}}) {
    auto value = parse(text, "f");
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().text.rfind(place, 0), 0u) << value.error().text;
    EXPECT_EQ(value.error().text.find('\n'), std::string::npos);
  }
}

TEST(Parse, DeepNestingIsRefusedNotFollowed) {
  std::string dots = "a";
  for (int i = 0; i < 200'000; ++i) dots += ".a";
  EXPECT_FALSE(parse(dots + " = 1", "f"));
  EXPECT_FALSE(parse("[" + dots + "]", "f"));
  std::string hundred = "a";
  for (int i = 0; i < 150; ++i) hundred += ".a";
  EXPECT_FALSE(parse(hundred + " = 1", "f"));
  EXPECT_FALSE(parse("a = " + std::string(100'000, '['), "f"));
  std::string networks = "a = [";
  for (int i = 0; i < 1000; ++i) networks += "\"10.0.0.1\", ";
  EXPECT_TRUE(parse(networks + "]", "f"));
}

TEST_F(Files, IncludesAreJoinedInNameOrder) {
  write("conf.d/b.toml", "[[route]]\nname = \"b\"\n[pool.two]\nx = 1\n");
  write("conf.d/a.toml", "[[route]]\nname = \"a\"\n[pool.one]\nx = 1\n");
  write("conf.d/ignored.txt", "x");
  Tree tree = read(write("main.toml", "include = [\"conf.d/*.toml\"]\n[[route]]\nname = \"main\"\n[pool.zero]\n"));
  EXPECT_TRUE(tree.errors.empty()) << tree.errors[0];
  EXPECT_EQ(tree.files.size(), 3u);
  EXPECT_FALSE(tree.root.find("include"));
  const Value& routes = tree.root.find("route")->value;
  ASSERT_EQ(routes.items.size(), 3u);
  EXPECT_EQ(routes.items[0].find("name")->value.string, "main");
  EXPECT_EQ(routes.items[1].find("name")->value.string, "a");
  EXPECT_EQ(routes.items[2].find("name")->value.string, "b");
  EXPECT_EQ(tree.root.find("pool")->value.members.size(), 3u);
}

TEST_F(Files, AKeySetTwiceNamesBothPlaces) {
  write("conf.d/a.toml", "[server]\nname = \"b\"\n");
  Tree tree = read(write("main.toml", "include = [\"conf.d/*.toml\"]\n[server]\nname = \"a\"\n"));
  EXPECT_EQ(errors(tree),
            std::vector<std::string>{"conf.d/a.toml:2:1: server.name is set twice; first at main.toml:3:1"});
}

TEST_F(Files, WhatCannotBeReadIsNamed) {
  EXPECT_EQ(errors(read(directory_ + "/none.toml")),
            std::vector<std::string>{"none.toml:1:1: cannot open none.toml: No such file or directory"});
  EXPECT_EQ(errors(read(directory_)).size(), 1u);
  EXPECT_NE(read(directory_).errors.at(0).find("not a file"), std::string::npos);
  write("loop.toml", "include = [\"loop.toml\"]\n");
  EXPECT_EQ(errors(read(directory_ + "/loop.toml")),
            std::vector<std::string>{"loop.toml:1:12: loop.toml is included twice"});
}

TEST_F(Files, ALargeFileIsRefused) {
  Tree tree = read(write("large.toml", std::string(17 << 20, '\n')));
  ASSERT_EQ(tree.errors.size(), 1u);
  EXPECT_NE(tree.errors[0].find("larger than 16 MiB"), std::string::npos);
}

TEST(SortErrors, ByFileThenLineThenColumn) {
  std::vector<std::string> errors = {"b:1:1: x", "a:10:1: x", "a:9:20: x", "a:9:3: x", "?", "a:9:3: x"};
  sort_errors(errors, {"b", "a"});
  EXPECT_EQ(errors, (std::vector<std::string>{"b:1:1: x", "a:9:3: x", "a:9:20: x", "a:10:1: x", "?"}));
}

}  // namespace
}  // namespace portolan::conf
