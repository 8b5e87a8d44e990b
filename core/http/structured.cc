#include "core/http/structured.hh"

#include <algorithm>
#include <utility>

#include "core/http/chars.hh"

namespace portolan::http {
namespace {

constexpr size_t most_members = 1024;  // as many as must be read (RFC 9651 §3.1, §3.2)

bool is_key_start(char c) {
  return (c >= 'a' && c <= 'z') || c == '*';
}

bool is_key(char c) {
  return is_key_start(c) || is_class(c, char_digit) || c == '_' || c == '-' || c == '.';
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (is_class(c, char_digit)) return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

bool decode_base64(std::string_view text, std::string& out) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    int value = base64_value(c);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 0xff);
  }
  return true;
}

// Well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
    uint8_t first = byte(at);
    size_t more = first < 0x80 ? 0 : first < 0xc2 ? 9 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 9;
    if (more == 9) return false;
    uint8_t second = byte(at + 1);
    if (first == 0xe0 && second < 0xa0) return false;
    if (first == 0xed && second > 0x9f) return false;
    if (first == 0xf0 && second < 0x90) return false;
    if (first == 0xf4 && second > 0x8f) return false;
    for (size_t i = 1; i <= more; ++i)
      if ((byte(at + i) & 0xc0) != 0x80) return false;
    at += more + 1;
  }
  return true;
}

class SfParser {
 public:
  explicit SfParser(std::string_view text) : rest_(text) { skip_spaces(); }

  bool over() {
    skip_spaces();
    return rest_.empty();
  }

  // True: another member follows. False: the end, or (`good` says so) a fault.
  bool next_member(bool& good) {
    skip_blank();
    if (rest_.empty()) return false;
    good = take(',');
    skip_blank();
    good = good && !rest_.empty();  // no comma at the end
    return good;
  }

  bool key(std::string& out) {
    if (rest_.empty() || !is_key_start(rest_[0])) return false;
    size_t end = 1;
    while (end < rest_.size() && is_key(rest_[end])) ++end;
    out = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return true;
  }

  bool member_value(SfItem& out) {
    if (take('=')) return item_or_list(out);
    out = SfItem{};
    return parameters();
  }

  bool item_or_list(SfItem& out) {
    bool good = !rest_.empty() && rest_[0] == '(' ? inner_list(out) : bare_item(out);
    return good && parameters();
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (take(' ')) {
    }
  }
  void skip_blank() {
    while (take(' ') || take('\t')) {
    }
  }

  bool parameters() {
    std::string name;
    while (take(';')) {
      skip_spaces();
      SfItem value;
      if (!key(name) || (take('=') && !bare_item(value))) return false;
    }
    return true;
  }

  bool inner_list(SfItem& out) {
    out.type = SfItem::Type::list;
    take('(');
    for (;;) {
      skip_spaces();
      if (take(')')) return true;
      SfItem& item = out.items.emplace_back();
      if (!bare_item(item) || !parameters()) return false;
      if (rest_.empty() || (rest_[0] != ' ' && rest_[0] != ')')) return false;
    }
  }

  bool bare_item(SfItem& out) {
    if (rest_.empty()) return false;
    char c = rest_[0];
    if (c == '-' || is_class(c, char_digit)) return number(out);
    if (c == '"') return string(out);
    if (c == '*' || is_class(c, char_alpha)) return token(out);
    rest_.remove_prefix(1);
    switch (c) {
      case ':':
        return bytes(out);
      case '?':
        out.type = SfItem::Type::boolean;
        out.boolean = take('1');
        return out.boolean || take('0');
      case '@':
        return number(out) && std::exchange(out.type, SfItem::Type::date) == SfItem::Type::integer;
      case '%':
        return display(out);
      default:
        return false;
    }
  }

  bool number(SfItem& out) {
    bool negative = take('-');
    out.type = SfItem::Type::integer;
    out.integer = 0;
    size_t whole = digits(out.integer, 16);
    if (whole == 0 || whole > 15) return false;
    if (take('.')) {
      out.type = SfItem::Type::decimal;
      size_t fraction = whole > 12 ? 0 : digits(out.integer, 4);
      if (fraction == 0 || fraction > 3) return false;
      for (; fraction < 3; ++fraction) out.integer *= 10;
    }
    if (negative) out.integer = -out.integer;
    return true;
  }

  // Appends the digits that follow, at most so many, to the number; how many.
  size_t digits(int64_t& number, size_t most) {
    size_t count = 0;
    for (; count < most && !rest_.empty() && is_class(rest_[0], char_digit); ++count) {
      number = number * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return count;
  }

  bool string(SfItem& out) {
    out.type = SfItem::Type::string;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\') {
        if (rest_.empty() || (rest_[0] != '"' && rest_[0] != '\\')) return false;
        c = rest_[0];
        rest_.remove_prefix(1);
      } else if (c < 0x20 || c > 0x7e) {
        return false;
      }
      out.text += c;
    }
    return false;
  }

  bool token(SfItem& out) {
    out.type = SfItem::Type::token;
    size_t end = 1;
    while (end < rest_.size() && (is_class(rest_[end], char_token) || rest_[end] == ':' || rest_[end] == '/')) ++end;
    out.text = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return true;
  }

  bool bytes(SfItem& out) {
    out.type = SfItem::Type::bytes;
    size_t end = rest_.find(':');
    if (end == std::string_view::npos) return false;
    bool good = decode_base64(rest_.substr(0, end), out.text);
    rest_.remove_prefix(end + 1);
    return good;
  }

  bool display(SfItem& out) {
    out.type = SfItem::Type::display;
    if (!take('"')) return false;
    while (!rest_.empty()) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return is_utf8(out.text);
      if (c < 0x20 || c > 0x7e) return false;
      if (c == '%') {
        auto lower_hex = [](char h) { return is_class(h, char_hex) && (h < 'A' || h > 'F'); };
        if (rest_.size() < 2 || !lower_hex(rest_[0]) || !lower_hex(rest_[1])) return false;
        c = static_cast<char>(hex_value(rest_[0]) << 4 | hex_value(rest_[1]));
        rest_.remove_prefix(2);
      }
      out.text += c;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<SfDictionary> parse_sf_dictionary(std::string_view text) {
  SfParser parser(text);
  SfDictionary out;
  if (parser.over()) return out;
  bool good = true;
  do {
    SfMember member;
    if (!parser.key(member.key) || !parser.member_value(member.value)) return std::nullopt;
    auto same = std::find_if(out.begin(), out.end(), [&](const SfMember& m) { return m.key == member.key; });
    if (same == out.end()) {
      if (out.size() == most_members) return std::nullopt;
      out.push_back(std::move(member));
    } else {
      same->value = std::move(member.value);
    }
  } while (parser.next_member(good));
  if (!good) return std::nullopt;
  return out;
}

std::optional<std::vector<SfItem>> parse_sf_list(std::string_view text) {
  SfParser parser(text);
  std::vector<SfItem> out;
  if (parser.over()) return out;
  bool good = true;
  do {
    if (out.size() == most_members || !parser.item_or_list(out.emplace_back())) return std::nullopt;
  } while (parser.next_member(good));
  if (!good) return std::nullopt;
  return out;
}

}  // namespace portolan::http
