#include "edge/media_types.hh"

#include <algorithm>

#include "core/conf/types.hh"

namespace portolan::edge {

bool media_type_listed(const std::vector<std::string>& types, const http::Fields& fields) {
  std::string_view type = fields.find(http::FieldId::content_type).value_or("");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return std::any_of(types.begin(), types.end(), [type](std::string_view wanted) {
    if (!wanted.ends_with("/*")) return http::equal_ignoring_case(type, wanted);
    wanted.remove_suffix(1);
    return http::equal_ignoring_case(type.substr(0, wanted.size()), wanted);
  });
}

conf::Type<std::string> media_type() {
  conf::Type<std::string> t = conf::string("\"image/*\"");
  t.name = "media type";
  t.read = [read = t.read](conf::Binder& binder, const conf::Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    size_t slash = out.find('/');
    size_t star = out.find('*');
    bool good = slash != std::string::npos && slash > 0 && slash + 1 < out.size() &&
                out.find_first_of(" ;,\"") == std::string::npos && out.find('/', slash + 1) == std::string::npos &&
                (star == std::string::npos || (star == slash + 1 && out.size() == star + 1));
    return good || binder.must_be(value, "a media type without parameters, such as \"text/html\" or \"image/*\"");
  };
  return t;
}

}  // namespace portolan::edge
