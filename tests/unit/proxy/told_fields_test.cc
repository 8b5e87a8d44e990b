// What servers are told of clients that no key knows.
#include "proxy/told_fields.hh"

#include <gtest/gtest.h>

namespace portolan::proxy {
namespace {

HeaderEdits::Line line(const char* name, const char* value) {
  auto parsed = Template::parse(value, {Variable::client_address, Variable::country, Variable::host, Variable::path,
                                        Variable::query, Variable::scheme, Variable::uri});
  EXPECT_TRUE(parsed);
  return {name, *parsed};
}

std::string told(const HeaderEdits& edits, const edge::CacheConfig& config = {},
                 const std::vector<std::string>& user_headers = {}) {
  RouteConfig route;
  route.request_headers = edits;
  edge::Cache cache(config, 1);
  return told_fields(route, user_headers, cache);
}

const std::string always = "client-cert*\nvia\nx-client-cert*\n";
const std::string usual = always + "x-forwarded-for\nx-real-ip\n";

TEST(ToldFields, AreAddressesCertificatesAndUsers) {
  EXPECT_EQ(told({}), usual);
  EXPECT_EQ(told({}, {}, {"X-User", "x-member"}), usual + "x-user\nx-member\n");
}

TEST(ToldFields, AreThoseThatARouteWritesOfTheClient) {
  HeaderEdits edits;
  edits.set = {line("X-Ip", "{client_address}"), line("X-Fixed", "1"), line("X-Url", "{scheme}://{host}{path}")};
  edits.add = {line("X-Where", "in {country}")};
  EXPECT_EQ(told(edits), usual + "x-ip\nx-where\n");
  edge::CacheConfig by_country;
  by_country.key_country = true;
  EXPECT_EQ(told(edits, by_country), usual + "x-ip\n");
}

TEST(ToldFields, AreNotThoseThatDontGo) {
  HeaderEdits edits;
  edits.remove = {"x-forwarded-for"};
  edits.set = {line("X-Real-IP", "-")};
  EXPECT_EQ(told(edits), always);
  edits.set = {line("X-Real-IP", "{client_address}")};
  EXPECT_EQ(told(edits), always + "x-real-ip\n");
}

}  // namespace
}  // namespace portolan::proxy
