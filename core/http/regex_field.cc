#include "core/http/regex_field.hh"

#include <fmt/format.h>

#include "core/conf/types.hh"
#include "core/conf/words.hh"
#include "core/http/regex.hh"

namespace portolan::http {

conf::Type<std::string> regex_type() {
  conf::Type<std::string> t = conf::string("\"^/v[0-9]+/\"");
  t.name = "regular expression (RE2)";
  t.read = [read = t.read](conf::Binder& binder, const conf::Value& value, std::string& out) {
    std::string pattern;
    if (!read(binder, value, pattern)) return false;
    auto compiled = Regex::compile(pattern);
    if (!compiled) {
      binder.error(value.where, fmt::format("{} is no regular expression of RE2: {}", binder.subject(),
                                            conf::quoted(compiled.error().text)));
      return false;
    }
    out = std::move(pattern);
    return true;
  };
  return t;
}

}  // namespace portolan::http
