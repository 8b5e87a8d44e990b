#include "proxy/error_pages.hh"

#include <algorithm>

#include "core/conf/types.hh"
#include "core/http/semantics.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::Value;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "502", "4xx" or "5xx".
bool read_statuses(std::string_view key, ErrorPage& page) {
  if (key.size() != 3 || (key[0] != '4' && key[0] != '5')) return false;
  page.first = (key[0] - '0') * 100;
  page.last = page.first + 99;
  if (key.substr(1) == "xx") return true;
  if (!is_digit(key[1]) || !is_digit(key[2])) return false;
  page.last = page.first += (key[1] - '0') * 10 + (key[2] - '0');
  return true;
}

}  // namespace

const ErrorPage* find_error_page(const ErrorPages& pages, int status) {
  for (const ErrorPage& page : pages)
    if (status >= page.first && status <= page.last) return &page;
  return nullptr;
}

conf::Type<ErrorPages> error_pages() {
  conf::Type<std::string> path = conf::path("\"/srv/errors/502.html\"");
  conf::Type<ErrorPages> t;
  t.name = "table, each a path by status";
  t.bounds = [] { return std::string("400 to 599, 4xx, 5xx"); };
  t.example = "{ 502 = \"/srv/errors/502.html\", 5xx = \"/srv/errors/5xx.html\" }";
  t.read = [read = path.read](Binder& binder, const Value& value, ErrorPages& out) {
    if (value.kind != Value::Kind::table) return binder.must_be(value, "a table of paths by status");
    Binder::Scope scope(binder, Binder::Scope::Shape::table);
    bool good = true;
    for (const conf::Member& member : value.members) {
      ErrorPage page;
      binder.key = member.key;
      page.where = member.value.where.text();
      if (!read_statuses(member.key, page)) {
        binder.error(member.where, "\"" + member.key + "\" in " + binder.context() +
                                       " is no status of an error; there are 400 to 599, 4xx and 5xx");
        good = false;
        continue;
      }
      good = read(binder, member.value, page.path) && good;
      page.content_type = http::content_type_of(page.path);
      out.push_back(std::move(page));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const ErrorPage& a, const ErrorPage& b) { return a.last - a.first < b.last - b.first; });
    return good;
  };
  return t;
}

}  // namespace portolan::proxy
