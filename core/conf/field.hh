#pragma once
// One row a key: its name, the member it fills, its type with bounds, and its help. The same rows
// read a file, make the error messages and print reference.toml.
//
//   const Table<RetryConfig>& retry_fields() {
//     static const Table<RetryConfig> table{
//         row("attempts", &RetryConfig::attempts, integer<int>(0, 10), "Further tries after the
//         first."), …};
//     return table;
//   }
//
// A Type<T> is a plain value and types compose: list(network()), table(retry_fields()). Reading
// reports every mistake to the Binder and leaves the member as it was. Nothing here throws. Types
// are in types.hh.
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/conf/value.hh"

namespace portolan::conf {

using Names = std::function<std::vector<std::string>()>;  // asked when needed: parts register before main

// What reading one configuration collects. One thread.
class Binder {
 public:
  std::vector<std::string> errors;  // "file:line:col: what", in the order found

  // A name that must be that of something else in the file, checked by whoever owns the whole.
  struct Reference {
    std::string kind;  // "pool", "cache", …
    std::string name;
    Place where;
    std::string context;  // "[[route]]"
  };
  std::vector<Reference> references;

  void error(const Place& where, std::string_view what);
  // "<key> in <context> must be <what>, not <the value>".
  bool must_be(const Value& value, std::string_view what);
  // "<value> is not a value of <key> in <context>; did you mean …? | allowed: …". `label` is the
  // word before the list.
  bool not_one_of(const Value& value, const std::vector<std::string>& allowed);
  void refer(std::string_view kind, const std::string& name, const Place& where);

  std::string subject() const;  // "weight in [pool.app].servers"
  std::string context() const;  // "[pool.app].servers"; empty at the top
  std::string header() const;   // of `key` as a section: "pool.app.servers"

  std::string key;  // the one being read
  bool in_list = false;

  // Enters the table that is the value of `key`.
  class Scope {
   public:
    enum class Shape : uint8_t { table, map };
    Scope(Binder& binder, Shape shape);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Binder& binder_;
    std::string key_;
    bool in_list_;
  };

 private:
  enum class Kind : uint8_t { table, list, map };
  struct Step {
    std::string key;
    Kind kind;
  };
  std::vector<Step> path_;
};

// A row as reference.toml shows it.
struct Described {
  enum class Shape : uint8_t { scalar, table, map, sections };
  std::string key;
  std::string type;         // "duration", "list of addresses"
  std::string bounds;       // "1 to 1000", "lru | sieve"; may be empty
  std::string value;        // the default as TOML; empty where there is none
  std::string value_words;  // the default in words, instead
  std::string example;      // as TOML
  std::string help;
  bool required = false;
  Shape shape = Shape::scalar;
  std::vector<Described> rows;  // of what is not a scalar
};

template <class T>
struct Type {
  std::string name;
  std::function<std::string()> bounds;                  // may be empty
  std::string example;                                  // as TOML
  std::function<bool(Binder&, const Value&, T&)> read;  // false: reported, T untouched or half filled
  std::function<std::string(const T&)> show;            // as TOML; empty: nothing to show
  Described::Shape shape = Described::Shape::scalar;
  std::function<std::vector<Described>()> rows = {};
};

// What reading needs to know of a row, whatever it fills.
struct Key {
  std::string name;
  std::string help;
  std::string value_words;
  std::string example;
  bool required = false;
};

template <class S>
struct Row {
  Key key;
  std::function<bool(Binder&, const Value&, S&)> read;
  std::function<Described(const S&)> describe;

  Row&& require() && {
    key.required = true;
    return std::move(*this);
  }
  // The default in words ("the host name") and an example, for reference.toml.
  Row&& otherwise(std::string words) && {
    key.value_words = std::move(words);
    return std::move(*this);
  }
  Row&& example(std::string toml) && {
    key.example = std::move(toml);
    return std::move(*this);
  }
};

// `get` is a pointer to member, or a callable from S& to T&.
template <class S, class T, class Get>
Row<S> row_of(std::string name, Get get, Type<T> type, std::string help) {
  Row<S> r;
  r.key.name = std::move(name);
  r.key.help = std::move(help);
  r.read = [get, read = type.read](Binder& binder, const Value& value, S& s) {
    return read(binder, value, std::invoke(get, s));
  };
  r.describe = [get, type = std::move(type)](const S& s) {
    Described d;
    S copy = s;
    d.type = type.name;
    if (type.bounds) d.bounds = type.bounds();
    if (type.show) d.value = type.show(std::invoke(get, copy));
    d.example = type.example;
    d.shape = type.shape;
    if (type.rows) d.rows = type.rows();
    return d;
  };
  return r;
}

template <class S, class T>
Row<S> row(std::string name, T S::*member, Type<T> type, std::string help) {
  return row_of<S, T>(std::move(name), member, std::move(type), std::move(help));
}

// Finds each member's row by name; reports unknown keys (with the nearest) and missing required
// ones.
bool read_members(Binder& binder, const Value& value, const std::vector<const Key*>& keys,
                  const std::function<bool(size_t, const Value&)>& read);

template <class S>
class Table {
 public:
  // Runs after all keys were read without a mistake; reports what one key alone can't say.
  using Check = std::function<bool(Binder&, const Value&, S&)>;

  Table(std::initializer_list<Row<S>> rows, Check check = {}) : rows_(rows), check_(std::move(check)) {
    for (const Row<S>& r : rows_) keys_.push_back(&r.key);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // `value` is a table; the binder stands inside it. Fills `where` of S where it has one.
  bool read(Binder& binder, const Value& value, S& s) const {
    if constexpr (requires { s.where = std::string(); })
      if (s.where.empty()) s.where = value.where.text();
    bool good = read_members(binder, value, keys_,
                             [&](size_t i, const Value& member) { return rows_[i].read(binder, member, s); });
    return good && (!check_ || check_(binder, value, s));
  }

  std::vector<Described> describe() const {
    std::vector<Described> out;
    S defaults{};
    for (const Row<S>& r : rows_) {
      Described d = r.describe(defaults);
      d.key = r.key.name;
      d.help = r.key.help;
      d.required = r.key.required;
      d.value_words = r.key.value_words;
      if (!r.key.example.empty()) d.example = r.key.example;
      out.push_back(std::move(d));
    }
    return out;
  }

 private:
  std::vector<Row<S>> rows_;
  std::vector<const Key*> keys_;
  Check check_;
};

}  // namespace portolan::conf
