#include "core/dns/name.hh"

#include <algorithm>

namespace portolan::dns {
namespace {

uint64_t load64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// lower() of eight characters at once: what an addition carries into a byte's top bit tells whether
// the byte is past a bound.
uint64_t lower8(uint64_t v) {
  constexpr uint64_t each = 0x0101010101010101;
  const uint64_t low = v & (0x7f * each);
  const uint64_t from_a = low + (0x80 - 'A') * each, past_z = low + (0x7f - 'Z') * each;
  return v | (((from_a ^ past_z) & ~v & (0x80 * each)) >> 2);
}

using Sixteen [[gnu::vector_size(16)]] = signed char;

void copy_lowered16(char* to, const char* from) {
  Sixteen v;
  std::memcpy(&v, from, sizeof v);
  v |= (v >= 'A') & (v <= 'Z') & 0x20;
  std::memcpy(to, &v, sizeof v);
}

void copy_lowered(char* to, const char* from, size_t size) {
  if (size >= 16) {
    for (size_t i = 0; i + 16 < size; i += 16) copy_lowered16(to + i, from + i);
    return copy_lowered16(to + size - 16, from + size - 16);
  }
  if (size < 8) {
    for (size_t i = 0; i < size; i++) to[i] = lower(from[i]);
    return;
  }
  const auto eight = [&](size_t i) {
    const uint64_t v = lower8(load64(from + i));
    std::memcpy(to + i, &v, sizeof v);
  };
  eight(0);
  eight(size - 8);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Reads one character of presentation form at `i`, escapes resolved. False: a broken escape.
bool read_character(std::string_view text, size_t& i, char& c) {
  c = text[i++];
  if (c != '\\') return true;
  if (i >= text.size()) return false;
  if (!is_digit(text[i])) {
    c = text[i++];
    return true;
  }
  if (i + 3 > text.size() || !is_digit(text[i + 1]) || !is_digit(text[i + 2])) return false;
  int value = (text[i] - '0') * 100 + (text[i + 1] - '0') * 10 + (text[i + 2] - '0');
  i += 3;
  c = static_cast<char>(value);
  return value <= 255;
}

Error bad_name(std::string_view text, const char* why) {
  return Error{"\"" + std::string(text) + "\" is not a domain name: " + why};
}

}  // namespace

bool Name::append_label(const char* data, size_t size) {
  if (size_ + size + 1 > max_name_size) return false;
  char* p = bytes_ + size_ - 1;
  *p++ = static_cast<char>(size);
  std::memcpy(p, data, size);
  p[size] = 0;
  size_ = static_cast<uint8_t>(size_ + size + 1);
  return true;
}

Result<Name> Name::parse(std::string_view text) {
  Name name;
  if (text == ".") return name;
  if (text.empty()) return bad_name(text, "it is empty");
  char label[max_label_size];
  size_t size = 0;
  for (size_t i = 0; i < text.size();) {
    bool dot = text[i] == '.';
    char c;
    if (!read_character(text, i, c)) return bad_name(text, "a broken escape");
    if (!dot) {
      if (size == max_label_size) return bad_name(text, "a label is longer than 63 bytes");
      label[size++] = c;
      if (i < text.size()) continue;
    }
    if (size == 0) return bad_name(text, "a label is empty");
    if (!name.append_label(label, size)) return bad_name(text, "it is longer than 255 bytes");
    size = 0;
  }
  return name;
}

bool Name::read(std::span<const uint8_t> message, size_t& offset, bool pointers) {
  size_ = 1;
  bytes_[0] = 0;
  size_t at = offset;
  size_t segment = offset;  // where the run of labels being read began
  bool jumped = false;
  for (;;) {
    if (at >= message.size()) return false;
    unsigned length = message[at];
    if (length == 0) break;
    if (length >= 0xc0) {
      if (!pointers || at + 2 > message.size()) return false;
      size_t target = load16(&message[at]) & 0x3fff;
      if (target < header_size || target >= segment) return false;
      if (!jumped) offset = at + 2;
      jumped = true;
      at = segment = target;
      continue;
    }
    if (length > max_label_size || at + 1 + length > message.size()) return false;
    if (!append_label(reinterpret_cast<const char*>(&message[at + 1]), length)) return false;
    at += 1 + length;
  }
  if (!jumped) offset = at + 1;
  return true;
}

// A length byte is at most 63, below 'A': lowering the whole run is safe.
bool Name::read_lowered(std::span<const uint8_t> message, size_t& offset, unsigned& labels) {
  const uint8_t* p = message.data() + offset;
  const size_t room = std::min(message.size() - offset, max_name_size);
  size_t at = 0;
  labels = 0;
  for (;; labels++) {
    if (at >= room) return false;
    const unsigned length = p[at++];
    if (length == 0) break;
    if (length > max_label_size) return false;
    at += length;
  }
  copy_lowered(bytes_, reinterpret_cast<const char*>(p), at);
  size_ = static_cast<uint8_t>(at);
  offset += at;
  return true;
}

bool Name::append(const Name& o) {
  if (size_ - 1u + o.size_ > max_name_size) return false;
  std::memcpy(bytes_ + size_ - 1, o.bytes_, o.size_);
  size_ = static_cast<uint8_t>(size_ - 1 + o.size_);
  return true;
}

Name Name::lowered() const {
  Name name;
  name.size_ = size_;
  copy_lowered(name.bytes_, bytes_, size_);
  return name;
}

unsigned Name::labels() const {
  return label_count(wire());
}
bool Name::equals(const Name& o) const {
  return equal_ignoring_case(wire(), o.wire());
}

std::string Name::to_string() const {
  if (size_ == 1) return ".";
  std::string text;
  for (std::string_view rest = wire(); rest.size() > 1; rest = parent(rest)) {
    for (char c : rest.substr(1, static_cast<uint8_t>(rest[0]))) {
      auto byte = static_cast<unsigned char>(c);
      if (byte <= ' ' || byte >= 0x7f) {
        text += '\\';
        for (unsigned d : {byte / 100u, byte / 10u % 10, byte % 10u}) text += static_cast<char>('0' + d);
        continue;
      }
      if (c == '.' || c == '\\' || c == '"') text += '\\';
      text += c;
    }
    text += '.';
  }
  return text;
}

unsigned label_count(std::string_view wire) {
  unsigned count = 0;
  for (; wire.size() > 1; wire = parent(wire)) count++;
  return count;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  size_t i = 0;
  for (; i + 8 <= a.size(); i += 8)
    if (lower8(load64(&a[i])) != lower8(load64(&b[i]))) return false;
  for (; i < a.size(); i++)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool is_within(std::string_view name, std::string_view zone) {
  while (name.size() > zone.size()) name = parent(name);
  return name == zone;
}

}  // namespace portolan::dns
