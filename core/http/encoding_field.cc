#include "core/http/encoding_field.hh"

#include <algorithm>

#include "core/conf/types.hh"

namespace portolan::http {
namespace {

conf::Type<Coding> coding_type() {
  conf::Type<std::string> names = conf::one_of({"br", "zstd", "gzip"});
  conf::Type<Coding> t;
  t.name = names.name;
  t.bounds = names.bounds;
  t.example = "\"br\", \"zstd\", \"gzip\"";
  t.read = [read = names.read](conf::Binder& binder, const conf::Value& value, Coding& out) {
    std::string name;
    if (!read(binder, value, name)) return false;
    out = *coding_of(name);
    return true;
  };
  t.show = [](const Coding& coding) { return conf::show_string(coding_name(coding)); };
  return t;
}

}  // namespace

conf::Type<std::vector<Coding>> codings_type() {
  conf::Type<std::vector<Coding>> t = conf::list(coding_type());
  t.read = [read = t.read](conf::Binder& binder, const conf::Value& value, std::vector<Coding>& out) {
    if (!read(binder, value, out)) return false;
    for (auto at = out.begin(); at != out.end(); ++at) {
      if (std::find(out.begin(), at, *at) == at) continue;
      binder.error(value.items[static_cast<size_t>(at - out.begin())].where,
                   binder.subject() + " has \"" + std::string(coding_name(*at)) + "\" twice");
      return false;
    }
    return true;
  };
  return t;
}

}  // namespace portolan::http
