#pragma once
// What a route asks of a request beside listener, host and path: method, headers, query parameters, the client's network
// and country. Immutable; any thread.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/network_set.hh"
#include "core/http/message.hh"
#include "core/http/regex.hh"
#include "proxy/config.hh"
#include "proxy/country.hh"

namespace portolan::proxy {

// A request as routes see it. What is null or empty holds for no condition that asks for it.
struct RouteQuery {
  std::string_view listener;
  std::string_view host;  // lower case, without port
  std::string_view path;  // begins with '/', or "*"
  std::string_view method;
  std::string_view query = {};  // without '?'
  const http::Fields* fields = nullptr;
  const IpAddress* client = nullptr;  // unmapped
  ClientCountry* country = nullptr;   // asked only where a route names countries
  const geo::Table* geo = nullptr;
  std::vector<size_t>* all = nullptr;  // not the first route is asked for, but every one of host and path, into this
};

class Conditions {
 public:
  explicit Conditions(const RouteConfig& route);
  // A header of several lines has one value, its lines joined by ", " (RFC 9110 §5.3); of several query parameters of one
  // name the first counts.
  bool hold(const RouteQuery& query) const;

 private:
  struct Value {
    explicit Value(const NamedMatch& match);
    bool holds(std::optional<std::string_view> value) const;
    std::string name;
    http::FieldId id;
    ValueMatch match;
    http::Regex regex;
  };
  std::vector<std::string> methods_;
  std::vector<Value> headers_;
  std::vector<Value> query_;
  NetworkSet clients_;
  std::vector<std::string> countries_;
};

// How many conditions a route has: of two that are alike otherwise, the one with more is asked first.
size_t condition_count(const RouteConfig& route);
// True when it is sure that no request meets the conditions, and where they have them the path expressions, of both.
bool exclude_each_other(const RouteConfig& a, const RouteConfig& b);

}  // namespace portolan::proxy
