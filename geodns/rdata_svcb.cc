#include "geodns/rdata_svcb.hh"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/address.hh"
#include "geodns/rdata.hh"
#include "geodns/rdata_words.hh"

namespace portolan::geodns {
namespace {

using Parameters = std::map<uint16_t, std::string>;  // values in wire form

constexpr const char* names[] = {"mandatory", "alpn", "no-default-alpn", "port",
                                 "ipv4hint",  "ech",  "ipv6hint",        "dohpath"};

// 65535 is no key (§14.3.2).
bool read_key(std::string_view text, uint16_t& key) {
  for (uint16_t i = 0; i < std::size(names); i++)
    if (text == names[i]) return key = i, true;
  uint32_t number = 0;
  if (text.size() < 4 || text.substr(0, 3) != "key" || !read_number(text.substr(3), 65534, number)) return false;
  if (text[3] == '0' && text.size() > 4) return false;
  key = static_cast<uint16_t>(number);
  return true;
}

// Appendix A.1: a list whose items are parted by commas; "\," and "\\" in the decoded text stand for themselves.
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items(1);
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == ',') {
      items.emplace_back();
    } else {
      if (text[i] == '\\' && i + 1 < text.size()) i++;
      items.back() += text[i];
    }
  }
  return items;
}

// base64 with its padding (RFC 4648 §4).
bool decode_base64(std::string_view text, std::string& out) {
  if (text.empty() || text.size() % 4 != 0) return false;
  size_t padding = text.back() != '=' ? 0 : text[text.size() - 2] == '=' ? 2 : 1;
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); i++) {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const bool pad = i + padding >= text.size();
    const size_t digit = pad ? 0 : digits.find(text[i]);
    if (digit == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if (i % 4 != 3) continue;
    for (int shift : {16, 8, 0}) out += static_cast<char>(bits >> shift);
  }
  out.resize(out.size() - padding);
  return true;
}

Result<std::string> encode_alpn(const std::string& text) {
  std::string data;
  for (const std::string& id : split_list(text)) {
    if (id.empty() || id.size() > 255) return Error{"an alpn protocol is 1 to 255 bytes long"};
    put_string(data, id);
  }
  return data;
}

Result<std::string> encode_hints(const std::string& text, bool v6) {
  std::string data;
  for (const std::string& item : split_list(text)) {
    auto ip = IpAddress::parse(item);
    if (!ip) return ip.error();
    if (ip->is_v6() != v6) return Error{"\"" + item + "\" is not an " + (v6 ? "IPv6" : "IPv4") + " address"};
    data.append(reinterpret_cast<const char*>(ip->bytes.data()), ip->size());
  }
  return data;
}

Result<std::string> encode_mandatory(const std::string& text) {
  std::set<uint16_t> keys;
  for (const std::string& item : split_list(text)) {
    uint16_t key = 0;
    if (!read_key(item, key)) return Error{"mandatory names \"" + item + "\", which is no parameter"};
    if (!keys.insert(key).second) return Error{"mandatory names \"" + item + "\" twice"};
  }
  std::string data;
  for (uint16_t key : keys) put16(data, key);
  return data;
}

Result<std::string> encode(uint16_t key, const std::string& text) {
  uint32_t number = 0;
  std::string data;
  switch (key) {
    case svcb_mandatory:
      return encode_mandatory(text);
    case svcb_alpn:
      return encode_alpn(text);
    case svcb_port:
      if (!read_number(text, 65535, number)) return Error{"port is a number from 0 to 65535"};
      put16(data, number);
      return data;
    case svcb_ipv4hint:
    case svcb_ipv6hint:
      return encode_hints(text, key == svcb_ipv6hint);
    case svcb_ech:
      if (!decode_base64(text, data)) return Error{"ech is base64"};
      return data;
    default:
      return text;
  }
}

Status add_parameter(std::string_view word, Parameters& parameters) {
  const size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  uint16_t key = 0;
  if (!read_key(name, key))
    return Error{"\"" + std::string(name) + "\" is no parameter: mandatory, alpn, …, or key123"};
  std::string text;
  if (equals != std::string_view::npos) {
    auto decoded = unescape(word.substr(equals + 1));
    if (!decoded) return decoded.error();
    text = std::move(*decoded);
  }
  const bool wants_value = key <= svcb_dohpath && key != svcb_no_default_alpn;
  if (wants_value && text.empty()) return Error{std::string(name) + " needs a value"};
  auto data = encode(key, text);
  if (!data) return data.error();
  if (data->size() > 65535) return Error{std::string(name) + " is too long"};
  if (!parameters.emplace(key, std::move(*data)).second) return Error{std::string(name) + " is there twice"};
  return {};
}

void put_parameter(std::string& data, uint16_t key, std::string_view value) {
  put16(data, key);
  put16(data, static_cast<uint32_t>(value.size()));
  data += value;
}

// Priority and target go into `head`.
Result<Parameters> parse_words(std::string_view value, const dns::Name& origin, std::string& head) {
  auto words = split_words(value);
  if (!words) return words.error();
  uint32_t priority = 0;
  if (words->size() < 2 || !read_number((*words)[0], 65535, priority))
    return bad_value(value, "priority (0 to 65535), target and parameters are expected: \"1 . alpn=h2\"");
  auto target = value_name((*words)[1], origin);
  if (!target) return target.error();
  put16(head, priority);
  head += target->wire();
  Parameters parameters;
  for (size_t i = 2; i < words->size(); i++)
    if (auto added = add_parameter((*words)[i], parameters); !added) return bad_value(value, added.error().text);
  if (priority == 0 && !parameters.empty())
    return bad_value(value, "priority 0 is an alias for its target and has no parameters");
  return parameters;
}

bool is_list_of_strings(std::string_view value) {
  while (!value.empty()) {
    const size_t size = static_cast<uint8_t>(value[0]);
    if (size == 0 || value.size() < 1 + size) return false;
    value.remove_prefix(1 + size);
  }
  return true;
}

bool has_form(uint16_t key, std::string_view value) {
  switch (key) {
    case svcb_alpn:
      return !value.empty() && is_list_of_strings(value);
    case svcb_no_default_alpn:
      return value.empty();
    case svcb_port:
      return value.size() == 2;
    case svcb_ipv4hint:
      return !value.empty() && value.size() % 4 == 0;
    case svcb_ipv6hint:
      return !value.empty() && value.size() % 16 == 0;
    case svcb_mandatory:
      return !value.empty() && value.size() % 2 == 0;
    default:
      return key != 65535;
  }
}

uint16_t number_at(std::string_view bytes, size_t at) {
  return dns::load16(reinterpret_cast<const uint8_t*>(bytes.data()) + at);
}

// §8: the list ascends, never names itself, and names only what is there.
bool keeps_promises(std::string_view mandatory, const std::set<uint16_t>& present) {
  int last = 0;
  for (size_t i = 0; i < mandatory.size(); i += 2) {
    const uint16_t key = number_at(mandatory, i);
    if (key <= last || !present.contains(key)) return false;
    last = key;
  }
  return true;
}

}  // namespace

Status check_svcb_parameters(std::string_view rest) {
  std::set<uint16_t> present;
  std::string_view mandatory;
  int last = -1;
  while (!rest.empty()) {
    if (rest.size() < 4) return Error{"a parameter is cut off"};
    const uint16_t key = number_at(rest, 0);
    const size_t size = number_at(rest, 2);
    if (rest.size() < 4 + size) return Error{"a parameter is cut off"};
    if (key <= last) return Error{"the parameters' keys don't ascend"};
    const std::string_view value = rest.substr(4, size);
    if (!has_form(key, value)) return Error{"parameter " + std::to_string(key) + " has not its form"};
    if (key == svcb_mandatory) mandatory = value;
    present.insert(key);
    last = key;
    rest.remove_prefix(4 + size);
  }
  if (!keeps_promises(mandatory, present)) return Error{"mandatory names a parameter that is not there"};
  if (present.contains(svcb_no_default_alpn) && !present.contains(svcb_alpn))
    return Error{"no-default-alpn needs alpn"};
  return {};
}

Result<std::string> parse_svcb(std::string_view value, const dns::Name& origin) {
  std::string data;
  auto parameters = parse_words(value, origin, data);
  if (!parameters) return parameters.error();
  std::string rest;
  for (const auto& [key, bytes] : *parameters) put_parameter(rest, key, bytes);
  if (auto good = check_svcb_parameters(rest); !good) return bad_value(value, good.error().text);
  if (data.size() + rest.size() > 65535) return bad_value(value.substr(0, 40), "it is too long for a record");
  return data + rest;
}

Result<HintedRdata> parse_hinted(std::string_view value, const dns::Name& origin, const dns::Name& owner) {
  HintedRdata hinted;
  auto parameters = parse_words(value, origin, hinted.parts[0]);
  if (!parameters) return parameters.error();
  if (hinted.parts[0][0] == 0 && hinted.parts[0][1] == 0)
    return bad_value(value, "priority 0 is an alias; a service's own HTTPS record has another");
  dns::Name target;
  size_t at = 2;
  target.read({reinterpret_cast<const uint8_t*>(hinted.parts[0].data()), hinted.parts[0].size()}, at, false);
  hinted.foreign = target.labels() > 0 && !target.equals(owner);
  std::string rest;
  for (const auto& [key, bytes] : *parameters) {
    if (key == svcb_ipv4hint || key == svcb_ipv6hint)
      return bad_value(value, "the hints are those of the datacentre that is answered; leave them off");
    put_parameter(hinted.parts[key < svcb_ipv4hint ? 0 : key < svcb_ipv6hint ? 1 : 2], key, bytes);
    put_parameter(rest, key, bytes);
  }
  if (auto good = check_svcb_parameters(rest); !good) return bad_value(value, good.error().text);
  if (hinted.parts[0].size() + hinted.parts[1].size() + hinted.parts[2].size() > 1024)
    return bad_value(value.substr(0, 40), "over 1024 bytes leave no room for the hints");
  return hinted;
}

void Hints::add(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    if ((count_ + 1) * address.size() > most * 4) return;
    const auto same = [&](const std::string* known) { return *known == address; };
    if (std::none_of(list_, list_ + count_, same)) list_[count_++] = &address;
  }
}

size_t put_hinted(const HintedRdata& rdata, const Hints& v4, const Hints& v6, std::span<uint8_t, max_hinted_size> out) {
  size_t at = 0;
  const auto put_part = [&](const std::string& part) {
    std::copy(part.begin(), part.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
    at += part.size();
  };
  const auto put_hints = [&](uint16_t key, std::span<const std::string* const> list) {
    if (list.empty()) return;
    dns::store16(&out[at], key);
    dns::store16(&out[at + 2], static_cast<unsigned>(list.size() * list.front()->size()));
    at += 4;
    for (const std::string* address : list) put_part(*address);
  };
  put_part(rdata.parts[0]);
  put_hints(svcb_ipv4hint, v4.list());
  put_part(rdata.parts[1]);
  put_hints(svcb_ipv6hint, v6.list());
  put_part(rdata.parts[2]);
  return at;
}

}  // namespace portolan::geodns
