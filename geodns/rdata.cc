#include "geodns/rdata.hh"

#include <algorithm>
#include <charconv>

#include "core/base/address.hh"
#include "geodns/rdata_svcb.hh"
#include "geodns/rdata_words.hh"

namespace portolan::geodns {
namespace {

using dns::Name;

std::string without_dot(const Name& name) {
  std::string text = name.to_string();
  if (text.size() > 1) text.pop_back();
  return text;
}

// In lower case.
Result<Name> below(std::string_view text, const Name& origin) {
  auto name = Name::parse(text);
  if (!name) return name;
  Name whole = name->lowered();
  if (!whole.append(origin)) return bad_value(text, "with the zone's name it is longer than 255 bytes");
  return whole;
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

// One string of a zone file at `i`, in quotes or up to the next blank, with \" \\ and \DDD resolved.
Status read_string(std::string_view value, size_t& i, std::string& out) {
  const bool quoted = value[i] == '"';
  if (quoted) i++;
  while (i < value.size()) {
    char c = value[i];
    if (quoted ? c == '"' : c == '"' || c == ' ' || c == '\t') break;
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
    out += c;
    i++;
  }
  if (!quoted) return {};
  if (i == value.size()) return bad_value(value, "a quote is left open");
  i++;
  return {};
}

Result<std::string> parse_strings(std::string_view value) {
  std::string data;
  for (size_t i = 0; i < value.size();) {
    if (value[i] == ' ' || value[i] == '\t') {
      i++;
      continue;
    }
    std::string text;
    if (auto read = read_string(value, i, text); !read) return read.error();
    if (text.size() > 255) return bad_value(value, "a string is longer than 255 bytes");
    put_string(data, text);
  }
  return data;
}

// With a quote somewhere they are strings as in a zone file; without, all of it is one, cut where a string must be (255
// bytes).
Result<std::string> parse_txt(std::string_view value) {
  if (value.find('"') != std::string_view::npos) return parse_strings(value);
  auto text = unescape(value);
  if (!text) return text.error();
  std::string data;
  std::string_view rest = *text;
  do {
    std::string_view piece = rest.substr(0, 255);
    put_string(data, piece);
    rest.remove_prefix(piece.size());
  } while (!rest.empty());
  return data;
}

// A type's RDATA: how it is written, as a letter a field, and what an error says it is.
// 1 2: a number of so many bytes. n: a name. s: a character-string. h: hexadecimal, some bytes. q: what is left, as
// text. 4 6: an address. S: strings up to the end. p: SVCB's parameters.
struct Form {
  uint16_t type;
  std::string_view fields;
  const char* what;
};
constexpr Form forms[] = {
    {dns::type_a, "4", ""},
    {dns::type_aaaa, "6", ""},
    {dns::type_caa, "1sq", "flags (0 to 255), a tag and a value: \"0 issue \\\"ca.example.net\\\"\""},
    {dns::type_cname, "n", "a name"},
    {dns::type_ds, "211h", "key tag, algorithm, digest type and the digest in hexadecimal"},
    {dns::type_hinfo, "ss", "two strings"},
    {dns::type_https, "2np", ""},
    {dns::type_mx, "2n", "a preference (0 to 65535) and a name: \"10 mail.example.com\""},
    {dns::type_naptr, "22sssn",
     "order, preference, \"flags\", \"service\", \"regexp\" and a name: \"100 10 \\\"S\\\" \\\"SIP+D2U\\\" \\\"\\\" "
     "_sip._udp.example.com\""},
    {dns::type_ns, "n", "a name"},
    {dns::type_ptr, "n", "a name"},
    {dns::type_srv, "222n", "priority, weight, port and a name: \"10 60 5060 sip.example.com\""},
    {dns::type_sshfp, "11h", "algorithm, type and the fingerprint in hexadecimal"},
    {dns::type_svcb, "2np", ""},
    {dns::type_tlsa, "111h", "usage, selector, matching type and the data in hexadecimal: \"3 1 1 0123…\""},
    {dns::type_txt, "S", ""},
};

const Form* form_of(uint16_t type) {
  for (const Form& form : forms)
    if (form.type == type) return &form;
  return nullptr;
}

Error expected(std::string_view value, const Form& form, const std::string& detail) {
  const std::string name = dns::type_name(form.type);
  const bool vowel = std::string_view("AHMNS").find(name[0]) != std::string_view::npos;
  return bad_value(value, std::string(vowel ? "an " : "a ") + name + " record is " + form.what +
                              (detail.empty() ? "" : " (" + detail + ")"));
}

Status put_field(char kind, const std::vector<std::string_view>& words, size_t& at, const Name& origin,
                 std::string& data) {
  uint32_t number = 0;
  switch (kind) {
    case '1':
      if (!read_number(words[at++], 255, number)) return Error{""};
      put8(data, number);
      return {};
    case '2':
      if (!read_number(words[at++], 65535, number)) return Error{""};
      put16(data, number);
      return {};
    case 'n': {
      auto name = value_name(words[at++], origin);
      if (!name) return name.error();
      data += name->wire();
      return {};
    }
    case 'h': {
      auto bytes = read_hex(words, at);
      if (!bytes) return bytes.error();
      at = words.size();
      data += *bytes;
      return {};
    }
    default: {
      auto text = unescape(words[at++]);
      if (!text) return text.error();
      if (kind == 's' && text->size() > 255) return Error{"a string is longer than 255 bytes"};
      if (kind == 's') put8(data, static_cast<uint32_t>(text->size()));
      data += *text;
      return {};
    }
  }
}

Result<std::string> parse_fields(const Form& form, std::string_view value, const Name& origin) {
  auto words = split_words(value);
  if (!words) return words.error();
  std::string data;
  size_t at = 0;
  for (char kind : form.fields) {
    if (at == words->size()) return expected(value, form, "");
    if (auto put = put_field(kind, *words, at, origin, data); !put) return expected(value, form, put.error().text);
  }
  if (at != words->size()) return expected(value, form, "");
  if (auto good = check_rdata(form.type, data); !good) return expected(value, form, good.error().text);
  return data;
}

// RFC 3597 §5.
Result<std::string> parse_generic(uint16_t type, std::string_view value) {
  auto words = split_words(value);
  if (!words) return words.error();
  uint32_t size = 0;
  if (words->size() < 2 || !read_number((*words)[1], 65535, size))
    return bad_value(value, "\"\\# LENGTH HEX\" is expected: \"\\# 4 c0000201\"");
  auto data = read_hex(*words, 2);
  if (!data) return data.error();
  if (data->size() != size)
    return bad_value(value.substr(0, 40),
                     "it says " + std::to_string(size) + " bytes and has " + std::to_string(data->size()));
  if (auto good = check_rdata(type, *data); !good) return bad_value(value.substr(0, 40), good.error().text);
  return data;
}

// Moves `rest` past a field; false: it isn't one.
bool skip_field(char kind, char*& at, const char* end) {
  const auto left = static_cast<size_t>(end - at);
  size_t size = left;
  switch (kind) {
    case '1':
      size = 1;
      break;
    case '2':
      size = 2;
      break;
    case '4':
      size = 4;
      break;
    case '6':
      size = 16;
      break;
    case 's':
      if (left == 0) return false;
      size = 1u + static_cast<uint8_t>(*at);
      break;
    case 'n': {
      Name name;
      size_t offset = 0;
      if (!name.read({reinterpret_cast<const uint8_t*>(at), left}, offset, false)) return false;
      const Name lower = name.lowered();
      std::copy(lower.wire().begin(), lower.wire().end(), at);
      size = offset;
      break;
    }
    case 'h':
      if (left == 0) return false;
      break;
    case 'S':
      if (left == 0) return false;
      while (at != end)
        if (!skip_field('s', at, end)) return false;
      return true;
    default:
      break;
  }
  if (size > left) return false;
  at += size;
  return true;
}

}  // namespace

uint16_t record_type(std::string_view text) {
  const uint16_t type = dns::type_number(text);
  if (form_of(type)) return type;
  const bool by_number = text.size() > 4 && dns::lower(text[0]) == 't' && dns::lower(text[3]) == 'e';
  if (!by_number || dns::type_name(type) || (type >= 128 && type <= 255)) return 0;
  const bool made = type == dns::type_rrsig || type == dns::type_nsec || type == dns::type_nsec3;
  return made || type == dns::type_opt ? uint16_t{0} : type;
}

std::vector<std::string> record_type_names() {
  std::vector<std::string> names;
  for (const Form& form : forms) names.emplace_back(dns::type_name(form.type));
  names.insert(names.begin() + 2, "ALIAS");
  return names;
}

std::string record_types() {
  std::string text;
  for (const std::string& name : record_type_names()) text += name + ", ";
  return text + "TYPE123";
}

Status check_rdata(uint16_t type, std::string& rdata) {
  if (rdata.size() > 65535) return Error{"longer than a record may be"};
  const Form* form = form_of(type);
  if (!form) return {};
  char* at = rdata.data();
  const char* end = at + rdata.size();
  for (char kind : form->fields) {
    if (kind == 'p') return check_svcb_parameters({at, static_cast<size_t>(end - at)});
    if (!skip_field(kind, at, end)) return Error{std::string("not the bytes of a ") + dns::type_name(type) + " record"};
  }
  if (at != end) return Error{std::string("more bytes than a ") + dns::type_name(type) + " record has"};
  if (type != dns::type_caa) return {};
  // RFC 8659 §4.1.1: a tag is letters and digits.
  const std::string_view tag = std::string_view(rdata).substr(2, static_cast<uint8_t>(rdata[1]));
  for (char c : tag)
    if (!(c >= '0' && c <= '9') && !(dns::lower(c) >= 'a' && dns::lower(c) <= 'z'))
      return Error{"a CAA tag is letters and digits"};
  return tag.empty() ? Status(Error{"a CAA tag is letters and digits"}) : Status();
}

Status check_name_text(std::string_view text) {
  for (size_t i = 0; i < text.size(); i++) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) return bad_value(text, "names are ASCII; write this one in the form \"xn--…\" (IDNA)");
    if (c <= ' ' || c == 0x7f) return bad_value(text, "a name has no blanks in it");
    if (c == '\\') i++;
  }
  return {};
}

Result<Name> value_name(std::string_view text, const Name& origin) {
  if (auto good = check_name_text(text); !good) return good.error();
  if (text == "@") return origin;
  if (text.find('.') == std::string_view::npos && !text.empty()) return below(text, origin);
  return lowered(Name::parse(text));
}

Result<Name> owner_name(std::string_view text, const Name& origin) {
  if (auto good = check_name_text(text); !good) return good.error();
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
  if (!whole->append(origin)) return bad_value(text, "with the zone's name it is longer than 255 bytes");
  return whole;
}

Result<Name> contact_name(std::string_view text) {
  if (auto good = check_name_text(text); !good) return good.error();
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
  if (value.size() >= 2 && value[0] == '\\' && value[1] == '#') return parse_generic(type, value);
  switch (type) {
    case dns::type_a:
    case dns::type_aaaa:
      return parse_address(type, value);
    case dns::type_txt:
      return parse_txt(value);
    case dns::type_svcb:
    case dns::type_https:
      return parse_svcb(value, origin);
    case dns::type_ns:
    case dns::type_cname:
    case dns::type_ptr: {
      auto name = value_name(value, origin);
      if (!name) return name.error();
      return std::string(name->wire());
    }
    default:
      break;
  }
  const Form* form = form_of(type);
  if (!form) return bad_value(value, "a type known by its number alone is written \"\\# LENGTH HEX\" (RFC 3597)");
  return parse_fields(*form, value, origin);
}

}  // namespace portolan::geodns
