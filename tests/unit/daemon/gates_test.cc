// Who may pass: from the file to the gates, and what a reload keeps of them.
#include "daemon/gates.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "daemon/preparation.hh"

namespace portolan::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string hash = "$2y$05$mVD9jVG.cJLHQUAe7B58EO/ZADvoDbN5gPcvDn/r35MVLNqmsHaga";

TEST(GateConfig, EveryKeyReachesItsField) {
  LoadResult loaded = load(std::string(PORTOLAN_SOURCE_DIR) + "/tests/golden/config/admit-valid.toml");
  ASSERT_THAT(loaded.errors, IsEmpty());
  const proxy::ListenerConfig& listener = loaded.config.listeners.at(0);
  EXPECT_EQ(listener.admit.allow.size(), 2u);
  EXPECT_EQ(listener.admit.deny.at(0).network.to_string(), "10.9.0.0/16");
  ASSERT_EQ(listener.admit.limits.size(), 2u);
  EXPECT_EQ(listener.admit.limits[0].shared, "everybody");
  EXPECT_EQ(listener.admit.limits[1].rate.to_string(), "10/m");
  EXPECT_EQ(listener.admit.limits[1].by.to_string(), "header:x-api-key");
  EXPECT_EQ(listener.admit.limits[1].depth(), 1);
  EXPECT_EQ(listener.max_connections_per_client, 100);
  const proxy::LimitConfig& limit = loaded.config.limits.at(0);
  EXPECT_EQ(limit.name, "everybody");
  EXPECT_EQ(limit.rate.to_string(), "100/s");
  EXPECT_EQ(limit.depth(), 200);
  EXPECT_EQ(limit.by.to_string(), "client-address");
  EXPECT_EQ(limit.ipv6_prefix, 56u);
  EXPECT_EQ(limit.entries, 1000u);
  const proxy::AdmitConfig& staff = loaded.config.routes.at(0).admit;
  EXPECT_EQ(staff.allow.size(), 2u);
  EXPECT_EQ(staff.deny.size(), 2u);
  EXPECT_EQ(staff.limits.at(0).by.to_string(), "cookie:session");
  EXPECT_EQ(staff.limits.at(0).rate.to_string(), "1000/h");
  EXPECT_EQ(staff.basic_auth->realm, "staff");
  EXPECT_EQ(staff.basic_auth->users_file, "/etc/portolan/users");
  EXPECT_EQ(staff.basic_auth->user_header, "X-Forwarded-User");
  EXPECT_TRUE(staff.basic_auth->pass_authorization);
  EXPECT_TRUE(staff.maintenance->enabled);
  EXPECT_EQ(staff.maintenance->body_file, "/etc/portolan/maintenance.html");
  EXPECT_EQ(staff.maintenance->content_type, "text/plain");
  EXPECT_EQ(staff.maintenance->retry_after_s, 600);
  EXPECT_EQ(staff.maintenance->allow.size(), 1u);
  const proxy::AdmitConfig& plain = loaded.config.routes.at(1).admit;
  EXPECT_EQ(plain.maintenance->body, "later");
  EXPECT_FALSE(plain.maintenance->enabled);
  EXPECT_FALSE(plain.basic_auth->pass_authorization);
  EXPECT_THAT(gate_files_of(loaded.config),
              ElementsAre("/etc/portolan/users", "/etc/portolan/maintenance.html", "users"));
}

struct GatesTest : ::testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/portolan-XXXXXX";
    ASSERT_TRUE(::mkdtemp(pattern));
    folder = pattern;
    users = folder + "/users";
    write(users, "alice:" + hash + "\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  Preparation prepared(const std::string& more, const GateParts& before = {}) {
    std::string path = folder + "/portolan.toml";
    write(path, "[listener.web]\nlisten = [\"127.0.0.1:8080\"]\n" + more);
    return prepare(load(path), {}, {}, 1, before);
  }
  static std::string route(const std::string& name, const std::string& keys) {
    return "[[route]]\nname = \"" + name + "\"\npath = \"/" + name + "\"\nrespond = {}\n" + keys + "\n";
  }
  std::string folder, users;
};

TEST_F(GatesTest, StandWhereTheyAreAskedForAlone) {
  Preparation none = prepared(route("a", ""));
  ASSERT_THAT(none.errors, IsEmpty());
  EXPECT_FALSE(none.snapshot->guarded());
  Preparation some = prepared(route("a", "") + route("b", "deny = \"10.0.0.0/8\""));
  ASSERT_THAT(some.errors, IsEmpty());
  EXPECT_TRUE(some.snapshot->guarded());
  ASSERT_EQ(some.snapshot->route_gates.size(), 2u);
  for (size_t i = 0; i < 2; ++i)
    EXPECT_EQ(some.snapshot->route_gates[i] != nullptr, some.snapshot->routes[i].name == "b");
  Preparation door = prepared("limit = { rate = \"1/s\" }\n" + route("a", ""));
  EXPECT_TRUE(door.snapshot->guarded());
  EXPECT_TRUE(door.snapshot->listener_gates.contains("web"));
}

TEST_F(GatesTest, ALimitIsOneForAllThatNameItAndKeepsItsCounts) {
  std::string limit = "[limit.each]\nrate = \"5/s\"\n";
  Preparation first =
      prepared(limit + route("a", "limit = \"each\"") + route("b", "limit = [\"each\", { rate = \"1/s\" }]"));
  ASSERT_THAT(first.errors, IsEmpty());
  const auto& gates = first.snapshot->route_gates;
  EXPECT_EQ(gates[0]->limits.at(0), gates[1]->limits.at(0));
  Preparation second = prepared("[limit.each]\nrate = \"5/s\"\nburst = 5\n" + route("a", "limit = \"each\"") +
                                    route("b", "limit = [\"each\", { rate = \"2/s\" }]"),
                                first.gates);
  EXPECT_EQ(second.snapshot->route_gates[0]->limits[0], gates[0]->limits[0]) << "the same in other words";
  EXPECT_NE(second.snapshot->route_gates[1]->limits[1], gates[1]->limits[1]) << "another rate";
}

TEST_F(GatesTest, AUsersFileIsReadAgainWhenItHasChanged) {
  std::string asks = "basic_auth = { users_file = \"" + users + "\" }";
  Preparation first = prepared(route("a", asks) + route("b", asks));
  ASSERT_THAT(first.errors, IsEmpty());
  const auto& gates = first.snapshot->route_gates;
  EXPECT_EQ(gates[0]->basic_auth->users, gates[1]->basic_auth->users) << "read once";
  EXPECT_EQ(gates[0]->basic_auth->challenge, "Basic realm=\"restricted\", charset=\"UTF-8\"");
  Preparation second = prepared(route("a", asks), first.gates);
  EXPECT_EQ(second.snapshot->route_gates[0]->basic_auth->users, gates[0]->basic_auth->users);
  write(users, "alice:" + hash + "\nbob:" + hash + "\n");
  Preparation third = prepared(route("a", asks), second.gates);
  EXPECT_EQ(third.snapshot->route_gates[0]->basic_auth->users->size(), 2u);
  write(users, "alice:" + hash + "\nbob:secret\n");
  EXPECT_THAT(prepared(route("a", asks), third.gates).errors,
              ElementsAre(HasSubstr(users + ":2: user \"bob\": a plain password")));
  std::filesystem::remove(users);
  EXPECT_THAT(prepared(route("a", asks), third.gates).errors,
              ElementsAre(HasSubstr("portolan.toml:7:14: cannot read " + users)));
}

TEST_F(GatesTest, AnOperatorsWordOutlivesReloads) {
  std::string page = folder + "/page.html";
  write(page, "soon");
  Preparation first = prepared(route("a", "maintenance = { body_file = \"" + page + "\" }"));
  ASSERT_THAT(first.errors, IsEmpty());
  EXPECT_FALSE(first.snapshot->route_gates[0]->maintenance->on());
  EXPECT_EQ(first.snapshot->route_gates[0]->maintenance->body, "soon");
  first.gates.switches.at("a")->word = proxy::MaintenanceSwitch::on;
  EXPECT_TRUE(first.snapshot->route_gates[0]->maintenance->on());
  Preparation second = prepared(route("a", "maintenance = { enabled = true }"), first.gates);
  EXPECT_THAT(second.snapshot->route_gates[0]->maintenance->body, HasSubstr("maintenance"));
  EXPECT_TRUE(second.snapshot->route_gates[0]->maintenance->on());
  second.gates.switches.at("a")->word = proxy::MaintenanceSwitch::off;
  EXPECT_FALSE(second.snapshot->route_gates[0]->maintenance->on()) << "whatever the file says";
  EXPECT_THAT(prepared(route("a", "maintenance = { body_file = \"/nonexistent/page\" }")).errors,
              ElementsAre(HasSubstr("portolan.toml:7:15: cannot read /nonexistent/page")));
}

}  // namespace
}  // namespace portolan::daemon
