#pragma once
// The types a key may have. Durations are "250ms", "2s", "5m", "1h", "7d"; sizes "64 KiB", "512
// MiB"; shares "20%".
#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>

#include "core/base/address.hh"
#include "core/base/server_address.hh"
#include "core/conf/field.hh"

namespace portolan::conf {

// Spellings without a Binder: nothing where the text has another form.
std::optional<int64_t> parse_duration_ms(std::string_view text);
std::optional<uint64_t> parse_size(std::string_view text);
std::optional<double> parse_share(std::string_view text);  // "12.5%" → 0.125
std::string show_duration_ms(int64_t ms);                  // in the largest unit that divides it, with quotes
std::string show_size(uint64_t bytes);
std::string show_string(std::string_view text);  // a TOML basic string

namespace detail {
bool read_integer(Binder&, const Value&, int64_t lowest, int64_t highest, int64_t& out);
bool read_duration(Binder&, const Value&, int64_t lowest_ms, int64_t highest_ms, int64_t unit_ms, int64_t& out_ms);
bool read_size(Binder&, const Value&, uint64_t lowest, uint64_t highest, uint64_t& out);
std::string range(std::string lowest, std::string highest);
std::string quotes(std::string_view shown);  // without the outer ones
}  // namespace detail

Type<bool> boolean();
Type<std::string> text();                                 // any string, also an empty one
Type<std::string> string(std::string example = "\"…\"");  // not empty, no control characters
Type<std::string> path(std::string example);              // of a file or directory: begins with "/" or is relative
Type<std::string> one_of(Names allowed);
Type<std::string> one_of(std::vector<std::string> allowed);
// The name of something else in the file: noted in Binder::references under `kind`.
Type<std::string> reference(std::string kind);
Type<double> number(double lowest, double highest);
Type<double> share(double lowest, double highest);  // 0.2 is "20%"
Type<SocketAddress> address();                      // IP and port, no Unix socket
Type<HostPort> host_port();
Type<ServerAddress> server_address();
Type<IpAddress> ip();
Type<IpNetwork> network();

template <class T>
Type<T> integer(int64_t lowest, int64_t highest) {
  Type<T> t;
  t.name = "whole number";
  t.bounds = [=] { return detail::range(std::to_string(lowest), std::to_string(highest)); };
  t.example = std::to_string(lowest);
  t.read = [=](Binder& binder, const Value& value, T& out) {
    int64_t n = 0;
    if (!detail::read_integer(binder, value, lowest, highest, n)) return false;
    out = static_cast<T>(n);
    return true;
  };
  t.show = [](const T& n) { return std::to_string(n); };
  return t;
}

// Fills milliseconds, or seconds with unit_ms 1000. Bounds are milliseconds.
template <class T>
Type<T> duration(int64_t lowest_ms, int64_t highest_ms, int64_t unit_ms = 1) {
  Type<T> t;
  t.name = "duration";
  t.bounds = [=] {
    return detail::range(detail::quotes(show_duration_ms(lowest_ms)), detail::quotes(show_duration_ms(highest_ms)));
  };
  t.example = show_duration_ms(std::max(lowest_ms, std::min(highest_ms, int64_t{10'000})));
  t.read = [=](Binder& binder, const Value& value, T& out) {
    int64_t ms = 0;
    if (!detail::read_duration(binder, value, lowest_ms, highest_ms, unit_ms, ms)) return false;
    out = static_cast<T>(ms / unit_ms);
    return true;
  };
  t.show = [=](const T& n) { return show_duration_ms(static_cast<int64_t>(n) * unit_ms); };
  return t;
}

template <class T>
Type<T> size(uint64_t lowest, uint64_t highest) {
  Type<T> t;
  t.name = "size";
  t.bounds = [=] { return detail::range(detail::quotes(show_size(lowest)), detail::quotes(show_size(highest))); };
  t.example = "\"64 MiB\"";
  t.read = [=](Binder& binder, const Value& value, T& out) {
    uint64_t n = 0;
    if (!detail::read_size(binder, value, lowest, highest, n)) return false;
    out = static_cast<T>(n);
    return true;
  };
  t.show = [](const T& n) { return show_size(n); };
  return t;
}

template <class T>
Type<std::optional<T>> optional(Type<T> inner) {
  Type<std::optional<T>> t;
  t.name = inner.name;
  t.bounds = inner.bounds;
  t.example = inner.example;
  t.read = [read = inner.read](Binder& binder, const Value& value, std::optional<T>& out) {
    T item{};
    if (!read(binder, value, item)) return false;
    out = std::move(item);
    return true;
  };
  t.show = [show = inner.show](const std::optional<T>& v) { return v && show ? show(*v) : std::string(); };
  t.shape = inner.shape;
  t.rows = inner.rows;
  return t;
}

// A list; `one_or_many` takes a single item without brackets too.
template <class T>
Type<std::vector<T>> list(Type<T> inner, size_t fewest = 0, bool single = false) {
  Type<std::vector<T>> t;
  t.name = (single ? inner.name + ", or list of them" : "list, each a " + inner.name);
  t.bounds = inner.bounds;
  if (!inner.example.empty()) t.example = "[" + inner.example + "]";
  const bool tables = inner.shape == Described::Shape::table;
  t.read = [read = inner.read, fewest, single, tables](Binder& binder, const Value& value, std::vector<T>& out) {
    std::vector<T> items;
    if (value.kind != Value::Kind::array) {
      if (!single && tables && value.kind == Value::Kind::table)
        return binder.must_be(value, "a list of tables: begin each with [[" + binder.header() + "]]");
      if (!single) return binder.must_be(value, "a list");
      T item{};
      if (!read(binder, value, item)) return false;
      items.push_back(std::move(item));
      out = std::move(items);
      return true;
    }
    bool good = true, was = std::exchange(binder.in_list, true);
    items.reserve(value.items.size());  // routes are large, and may be thousands
    for (const Value& v : value.items)  // a bad one stays: what refers to its name shall not fail as well
      good = read(binder, v, items.emplace_back()) && good;
    binder.in_list = was;
    if (items.size() < fewest) {
      binder.error(value.where, binder.subject() + " is empty");
      good = false;
    }
    out = std::move(items);
    return good;
  };
  t.show = [show = inner.show](const std::vector<T>& items) {
    std::string out;
    for (const T& item : items) out += (out.empty() ? "" : ", ") + (show ? show(item) : "…");
    return "[" + out + "]";
  };
  t.rows = inner.rows;
  t.shape = inner.shape == Described::Shape::table ? Described::Shape::sections : inner.shape;
  return t;
}

template <class T>
Type<std::vector<T>> one_or_many(Type<T> inner) {
  return list(std::move(inner), 1, true);
}

// `rows` must outlive the type: it is a static of the room that owns S.
template <class S>
Type<S> table(const Table<S>& rows) {
  Type<S> t;
  t.name = "table";
  t.read = [&rows](Binder& binder, const Value& value, S& out) {
    if (value.sections) return binder.must_be(value, "a table: begin it with [" + binder.header() + "], once");
    if (value.kind != Value::Kind::table) return binder.must_be(value, "a table");
    Binder::Scope scope(binder, Binder::Scope::Shape::table);
    return rows.read(binder, value, out);
  };
  t.shape = Described::Shape::table;
  t.rows = [&rows] { return rows.describe(); };
  return t;
}

// A table, or in short just one of its keys: servers = ["10.0.0.1:80", { address = "10.0.0.2:80",
// weight = 2 }].
template <class S, class T>
Type<S> table_or(const Table<S>& rows, T S::*member, Type<T> brief) {
  Type<S> t = table(rows);
  t.name = brief.name + " or table";
  t.example = brief.example;
  t.read = [full = t.read, member, brief = std::move(brief)](Binder& binder, const Value& value, S& out) {
    if (value.kind == Value::Kind::table) return full(binder, value, out);
    if constexpr (requires { out.where = std::string(); }) out.where = value.where.text();
    return brief.read(binder, value, out.*member);
  };
  return t;
}

// Reads a T and hands it to `set`, for what is more than filling one member. Row: row_of<S,
// S>(name, std::identity(), …).
template <class S, class T>
Type<S> through(Type<T> inner, std::function<bool(Binder&, const Value&, S&, T&)> set,
                std::function<std::string(const S&)> show = {}) {
  Type<S> t;
  t.name = inner.name;
  t.bounds = inner.bounds;
  t.example = inner.example;
  t.read = [read = inner.read, set = std::move(set)](Binder& binder, const Value& value, S& s) {
    T item{};
    return read(binder, value, item) && set(binder, value, s, item);
  };
  t.show = std::move(show);
  t.shape = inner.shape;
  t.rows = inner.rows;
  return t;
}

// [pool.NAME] → a vector in the order written; each gets its `name`.
template <class S>
Type<std::vector<S>> named(const Table<S>& rows) {
  Type<std::vector<S>> t;
  t.name = "tables by name";
  t.read = [inner = table(rows).read](Binder& binder, const Value& value, std::vector<S>& out) {
    if (value.kind != Value::Kind::table)
      return binder.must_be(value, "a table of tables: begin each with [" + binder.header() + ".NAME]");
    Binder::Scope scope(binder, Binder::Scope::Shape::map);
    bool good = true;
    for (const Member& member : value.members) {
      S item{};
      item.name = member.key;
      binder.key = member.key;
      if (member.key.empty()) {
        binder.error(member.where, "an empty name");
        good = false;
      }
      good = inner(binder, member.value, item) && good;
      out.push_back(std::move(item));
    }
    return good;
  };
  t.shape = Described::Shape::map;
  t.rows = [&rows] { return rows.describe(); };
  return t;
}

// { NAME = item, … } where NAME refers to something of `kind` (empty: it is free). C is a std::map
// or a vector of pairs.
template <class C, class T>
Type<C> by_name(std::string kind, Type<T> inner) {
  Type<C> t;
  t.name = "table, each a " + inner.name + " by name";
  t.bounds = inner.bounds;
  t.read = [kind = std::move(kind), read = inner.read](Binder& binder, const Value& value, C& out) {
    if (value.kind != Value::Kind::table) return binder.must_be(value, "a table");
    Binder::Scope scope(binder, Binder::Scope::Shape::table);
    bool good = true;
    for (const Member& member : value.members) {
      T item{};
      binder.key = member.key;
      if (!kind.empty()) binder.refer(kind, member.key, member.where);
      good = read(binder, member.value, item) && good;
      out.insert(out.end(), typename C::value_type{member.key, std::move(item)});
    }
    return good;
  };
  t.shape = inner.shape == Described::Shape::table ? Described::Shape::map : inner.shape;
  t.rows = inner.rows;
  return t;
}

}  // namespace portolan::conf
