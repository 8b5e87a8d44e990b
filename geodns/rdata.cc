#include "geodns/rdata.hh"

#include <charconv>

#include "core/base/address.hh"

namespace portolan::geodns {
namespace {

using dns::Name;

Error bad_value(std::string_view value, const std::string& why) {
  return Error{"\"" + std::string(value) + "\": " + why};
}

std::string without_dot(const Name& name) {
  std::string text = name.to_string();
  if (text.size() > 1) text.pop_back();
  return text;
}

Result<Name> below(std::string_view text, const Name& origin) {
  if (origin.labels() == 0) return Name::parse(text);
  return Name::parse(std::string(text) + "." + without_dot(origin));
}

Result<Name> lowered(Result<Name> name) {
  if (!name) return name;
  return name->lowered();
}

Result<std::string> parse_address(uint16_t type, std::string_view value) {
  auto ip = IpAddress::parse(value);
  if (!ip) return ip.error();
  const bool v6 = type == dns::type_aaaa;
  if (ip->is_v6() != v6)
    return bad_value(value, v6 ? "an AAAA record holds an IPv6 address; for IPv4 write type = \"A\""
                               : "an A record holds an IPv4 address; for IPv6 write type = \"AAAA\"");
  return std::string(reinterpret_cast<const char*>(ip->bytes.data()), ip->size());
}

Result<std::string> parse_mx(std::string_view value, const Name& origin) {
  unsigned preference = 0;
  const char* end = value.data() + value.size();
  auto [rest, error] = std::from_chars(value.data(), end, preference);
  std::string_view name(rest, static_cast<size_t>(end - rest));
  const size_t gap = name.find_first_not_of(" \t");
  if (error != std::errc() || preference > 65535 || gap == 0 || gap == std::string_view::npos)
    return bad_value(value, "an MX record is a preference (0 to 65535) and a name: \"10 mail.example.com\"");
  name.remove_prefix(gap);
  auto target = value_name(name, origin);
  if (!target) return target.error();
  std::string data(2, '\0');
  dns::store16(reinterpret_cast<uint8_t*>(data.data()), preference);
  return data + std::string(target->wire());
}

void put_string(std::string& data, std::string_view text) {
  data += static_cast<char>(text.size());
  data += text;
}

// Strings in quotes, with \" \\ and \DDD; each at most 255 bytes.
Result<std::string> parse_quoted(std::string_view value) {
  std::string data, current;
  bool inside = false;
  for (size_t i = 0; i < value.size(); i++) {
    char c = value[i];
    if (c == '"') {
      if (inside && current.size() > 255) return bad_value(value, "a string is longer than 255 bytes");
      if (inside) put_string(data, current);
      current.clear();
      inside = !inside;
      continue;
    }
    if (!inside) {
      if (c != ' ' && c != '\t') return bad_value(value, "text outside the quotes");
      continue;
    }
    if (c == '\\' && i + 1 < value.size()) {
      unsigned code = 0;
      const char* digits = value.data() + i + 1;
      if (i + 3 < value.size() && std::from_chars(digits, digits + 3, code).ptr == digits + 3) {
        if (code > 255) return bad_value(value, "an escape over \\255");
        c = static_cast<char>(code);
        i += 3;
      } else {
        c = value[++i];
      }
    }
    current += c;
  }
  if (inside) return bad_value(value, "a quote is left open");
  return data;
}

// Unquoted text is one string, cut where a string must be (255 bytes).
Result<std::string> parse_txt(std::string_view value) {
  if (!value.empty() && value.front() == '"') return parse_quoted(value);
  std::string data;
  do {
    std::string_view piece = value.substr(0, 255);
    put_string(data, piece);
    value.remove_prefix(piece.size());
  } while (!value.empty());
  return data;
}

}  // namespace

uint16_t record_type(std::string_view text) {
  for (uint16_t type : {dns::type_a, dns::type_aaaa, dns::type_cname, dns::type_mx, dns::type_ns, dns::type_txt}) {
    const std::string_view name = dns::type_name(type);
    if (name.size() != text.size()) continue;
    bool same = true;
    for (size_t i = 0; i < name.size(); i++) same &= dns::lower(name[i]) == dns::lower(text[i]);
    if (same) return type;
  }
  return 0;
}

Result<Name> value_name(std::string_view text, const Name& origin) {
  if (text == "@") return origin;
  if (text.find('.') == std::string_view::npos && !text.empty()) return lowered(below(text, origin));
  return lowered(Name::parse(text));
}

Result<Name> owner_name(std::string_view text, const Name& origin) {
  if (text == "@") return origin;
  if (!text.empty() && text.back() == '.') {
    auto name = lowered(Name::parse(text));
    if (name && !dns::is_within(name->wire(), origin.wire()))
      return bad_value(text, "this name is not within the zone " + without_dot(origin));
    return name;
  }
  auto whole = lowered(Name::parse(text));
  if (!whole) return whole;
  if (origin.labels() > 1 && dns::is_within(whole->wire(), origin.wire()))
    return bad_value(text, "names are relative to the zone; leave \"" + without_dot(origin) +
                               "\" off (or write \"@\" for the zone itself), or end the name with a dot");
  return lowered(below(text, origin));
}

Result<Name> contact_name(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return lowered(Name::parse(text));
  if (at == 0 || at + 1 == text.size()) return bad_value(text, "write the contact as \"hostmaster@example.com\"");
  std::string escaped;
  for (char c : text.substr(0, at)) {
    if (c == '.' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return lowered(Name::parse(escaped + "." + std::string(text.substr(at + 1))));
}

Result<std::string> parse_rdata(uint16_t type, std::string_view value, const Name& origin) {
  switch (type) {
    case dns::type_a:
    case dns::type_aaaa:
      return parse_address(type, value);
    case dns::type_mx:
      return parse_mx(value, origin);
    case dns::type_txt:
      return parse_txt(value);
    default: {
      auto name = value_name(value, origin);
      if (!name) return name.error();
      return std::string(name->wire());
    }
  }
}

}  // namespace portolan::geodns
