#include "core/conf/field.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/conf/words.hh"

namespace portolan::conf {
namespace {

std::string shown(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.boolean ? "true" : "false";
    case Value::Kind::integer:
      return std::to_string(value.integer);
    case Value::Kind::real:
      return fmt::format("{}", value.real);
    case Value::Kind::string:
      return quoted(value.string);
    default:
      return std::string(value.kind_name());
  }
}

}  // namespace

void Binder::error(const Place& where, std::string_view what) {
  errors.push_back(fmt::format("{}: {}", where.text(), what));
}

bool Binder::must_be(const Value& value, std::string_view what) {
  error(value.where, fmt::format("{} must be {}, not {}", subject(), what, shown(value)));
  return false;
}

bool Binder::not_one_of(const Value& value, const std::vector<std::string>& allowed) {
  std::string list;
  for (const std::string& name : allowed) list += (list.empty() ? "" : ", ") + name;
  std::string near = value.kind == Value::Kind::string ? nearest(value.string, allowed) : "";
  if (!near.empty()) near = fmt::format("did you mean {}? ", quoted(near));
  error(value.where, fmt::format("{} is not a value of {}; {}allowed: {}", shown(value), subject(), near, list));
  return false;
}

void Binder::refer(std::string_view kind, const std::string& name, const Place& where) {
  references.push_back({std::string(kind), name, where, context()});
}

std::string Binder::subject() const {
  std::string in = context();
  return in.empty() ? key_text(key) : key_text(key) + " in " + in;
}

std::string Binder::header() const {
  std::string out;
  for (const Step& step : path_) out += key_text(step.key) + ".";
  return out + key_text(key);
}

std::string Binder::context() const {
  if (path_.empty()) return {};
  std::string out = key_text(path_[0].key);
  size_t next = 1;
  if (path_[0].kind == Kind::list) {
    out = "[[" + out + "]]";
  } else if (path_[0].kind == Kind::map && path_.size() > 1) {
    out = "[" + out + "." + key_text(path_[1].key) + "]";
    next = 2;
  } else {
    out = "[" + out + "]";
  }
  for (; next < path_.size(); ++next) out += "." + key_text(path_[next].key);
  return out;
}

Binder::Scope::Scope(Binder& binder, Shape shape) : binder_(binder), key_(binder.key), in_list_(binder.in_list) {
  Kind kind = shape == Shape::map ? Kind::map : in_list_ ? Kind::list : Kind::table;
  binder_.path_.push_back({key_, kind});
  binder_.in_list = false;
}

Binder::Scope::~Scope() {
  binder_.path_.pop_back();
  binder_.key = key_;
  binder_.in_list = in_list_;
}

bool read_members(Binder& binder, const Value& value, const std::vector<const Key*>& keys,
                  const std::function<bool(size_t, const Value&)>& read) {
  bool good = true;
  std::vector<bool> seen(keys.size());
  for (const Member& member : value.members) {
    auto it = std::find_if(keys.begin(), keys.end(), [&](const Key* key) { return key->name == member.key; });
    if (it == keys.end()) {
      const std::string context = binder.context();
      std::vector<std::string> names;
      names.reserve(keys.size());
      for (const Key* key : keys) names.push_back(key->name);
      const std::string meant = nearest(member.key, names);
      for (size_t i = 0; i < names.size(); ++i)
        if (names[i] == meant) seen[i] = true;  // misspelt is not missing as well
      binder.error(member.where,
                   fmt::format("unknown key {}{}{}", quoted(member.key), context.empty() ? "" : " in " + context,
                               remedy(member.key, names, "keys here")));
      good = false;
      continue;
    }
    auto index = static_cast<size_t>(it - keys.begin());
    seen[index] = true;
    binder.key = member.key;
    good = read(index, member.value) && good;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!keys[i]->required || seen[i]) continue;
    std::string context = binder.context();
    binder.error(value.where, fmt::format("{} is missing{}", keys[i]->name, context.empty() ? "" : " in " + context));
    good = false;
  }
  return good;
}

}  // namespace portolan::conf
