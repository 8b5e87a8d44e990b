#include "core/dns/compose.hh"

#include <algorithm>
#include <cstring>

namespace portolan::dns {
namespace {

constexpr size_t max_pointer = 0x3fff;

constexpr size_t error_size = 6;
constexpr size_t padding_head = 4;

uint8_t* put_option(uint8_t* p, unsigned code, const void* data, size_t size) {
  store16(p, code);
  store16(p + 2, static_cast<unsigned>(size));
  std::memcpy(p + 4, data, size);
  return p + 4 + size;
}

// Letters of both cases are one; that some other characters are too, matches() finds out.
uint32_t hash_label(std::string_view label, uint32_t hash) {
  for (char c : label) hash = (hash ^ static_cast<uint8_t>(c | 0x20)) * 16777619u;
  return hash;
}

// A name's label starts, and the hash of the suffix that begins at each.
struct Labels {
  unsigned count = 0;
  uint8_t start[128];
  uint32_t hash[128];

  explicit Labels(std::string_view name) {
    for (size_t i = 0; i < name.size() && name[i] != 0; i += 1 + static_cast<uint8_t>(name[i]))
      start[count++] = static_cast<uint8_t>(i);
    uint32_t h = 2166136261u;
    for (unsigned i = count; i-- > 0;) {
      h = hash_label(name.substr(start[i], 1 + static_cast<uint8_t>(name[start[i]])), h);
      hash[i] = h;
    }
  }
};

}  // namespace

size_t Composer::reply_size(const Query& query, const OptReply& reply) {
  size_t size = 0;
  if (query.has_cookie && reply.has_cookie) size += 4 + OptReply::cookie_size;
  if (query.wants_nsid && !reply.nsid.empty()) size += 4 + reply.nsid.size();
  if (query.wants_keepalive && reply.keepalive_100ms >= 0) size += 6;
  return size;
}

bool Composer::put(const void* data, size_t size) {
  if (limit_ - at_ < size) return false;
  if (size != 0) std::memcpy(&out_[at_], data, size);
  at_ += size;
  return true;
}

void Composer::remember(uint32_t hash, size_t offset) {
  if (offset <= max_pointer && suffix_count_ < max_suffixes)
    suffixes_[suffix_count_++] = {hash, static_cast<uint16_t>(offset)};
}

void Composer::remember_question() {
  question_remembered_ = true;
  if (!query_.has_question) return;
  Labels labels(query_.key.wire());
  for (unsigned i = 0; i < labels.count; i++) remember(labels.hash[i], header_size + labels.start[i]);
}

bool Composer::matches(size_t offset, std::string_view suffix) const {
  for (;;) {
    const uint8_t length = out_[offset];
    if (length >= 0xc0) {
      offset = load16(&out_[offset]) & max_pointer;
      continue;
    }
    if (length != static_cast<uint8_t>(suffix[0])) return false;
    if (length == 0) return true;
    const auto* label = reinterpret_cast<const char*>(&out_[offset + 1]);
    if (!equal_ignoring_case({label, length}, suffix.substr(1, length))) return false;
    offset += 1 + length;
    suffix = parent(suffix);
  }
}

size_t Composer::find(uint32_t hash, std::string_view suffix) const {
  for (unsigned i = 0; i < suffix_count_; i++)
    if (suffixes_[i].hash == hash && matches(suffixes_[i].offset, suffix)) return suffixes_[i].offset;
  return 0;
}

bool Composer::put_name(std::string_view name) {
  if (name.size() > 1 && query_.has_question && equal_ignoring_case(name, query_.key.wire())) {
    static constexpr uint8_t pointer[2] = {0xc0, header_size};
    return put(pointer, 2);
  }
  if (!question_remembered_) remember_question();
  Labels labels(name);
  size_t target = 0;
  unsigned kept = 0;
  for (; kept < labels.count && target == 0; kept++) target = find(labels.hash[kept], name.substr(labels.start[kept]));
  if (target != 0) kept--;
  const size_t begin = at_;
  const size_t literal = kept < labels.count ? labels.start[kept] : name.size() - 1;
  if (!put(name.data(), literal)) return false;
  uint8_t end[2] = {0, 0};
  if (target != 0) store16(end, 0xc000u | static_cast<unsigned>(target));
  if (!put(end, target != 0 ? 2 : 1)) return false;
  for (unsigned i = 0; i < kept; i++) remember(labels.hash[i], begin + labels.start[i]);
  return true;
}

bool Composer::put_rdata(uint16_t type, std::string_view rdata) {
  const RdataNames names = names_in(type);
  if (!put(rdata.data(), names.before)) return false;
  rdata.remove_prefix(names.before);
  for (unsigned i = 0; i < names.names; i++) {
    const size_t size = name_size(rdata);
    if (!put_name(rdata.substr(0, size))) return false;
    rdata.remove_prefix(size);
  }
  return put(rdata.data(), rdata.size());
}

bool Composer::put_record(std::string_view owner, uint16_t type, uint16_t record_class, uint32_t ttl_s,
                          std::string_view rdata) {
  uint8_t fixed[10];
  store16(fixed, type);
  store16(fixed + 2, record_class);
  store32(fixed + 4, ttl_s);
  if (!put_name(owner) || !put(fixed, sizeof fixed)) return false;
  const size_t data = at_;
  if (!put_rdata(type, rdata)) return false;
  store16(&out_[data - 2], static_cast<unsigned>(at_ - data));
  return true;
}

bool Composer::add(Section section, std::string_view owner, uint16_t type, uint32_t ttl_s, std::string_view rdata,
                   uint16_t record_class) {
  if (truncated_) return false;
  const size_t before = at_;
  const unsigned suffixes = suffix_count_;
  if (put_record(owner, type, record_class, ttl_s, rdata)) {
    counts_[static_cast<unsigned>(section)]++;
    return true;
  }
  at_ = before;
  // What the question gave may stay; what this record gave must not.
  while (suffix_count_ > suffixes && suffixes_[suffix_count_ - 1].offset >= before) suffix_count_--;
  truncated_ = section != Section::additional;
  return false;
}

bool Composer::add_set(Section section, size_t owner, const PackedSet& set, size_t zone_size) {
  const size_t size = set.bytes_.size();
  if (!has_room(section, size)) return false;
  uint8_t* p = out_.data() + at_;
  std::memcpy(p, set.bytes_.data(), size);
  if (owner != header_size)
    for (size_t i = 0; i < size; i += 12u + load16(p + i + 10)) store16(p + i, 0xc000u | static_cast<unsigned>(owner));
  const size_t zone = header_size + query_.key.wire().size() - zone_size;
  for (const PackedSet::Pointer& pointer : set.pointers_)
    store16(p + pointer.at, 0xc000u | static_cast<unsigned>((pointer.in_zone ? zone : at_) + pointer.target));
  at_ += size;
  counts_[static_cast<unsigned>(section)] = static_cast<uint16_t>(counts_[static_cast<unsigned>(section)] + set.count_);
  return true;
}

// Where OPT, the last of the message, has room for it.
[[gnu::always_inline]] inline void Composer::put_error(uint8_t* opt) {
  if (limit_ + opt_size_ - at_ < error_size) return;
  uint8_t number[2];
  store16(number, static_cast<unsigned>(error_));
  put_option(out_.data() + at_, option_error, number, sizeof number);
  at_ += error_size;
  store16(opt + 9, load16(opt + 9) + static_cast<unsigned>(error_size));
}

// What few answers have, behind Client Subnet; the room for `reply_` is there.
void Composer::put_more() {
  uint8_t* begin = out_.data() + at_ - opt_size_;
  uint8_t* p = begin + opt_fixed_size + (query_.has_subnet ? 8 + query_.subnet.address_size() : 0);
  if (reply_ && query_.has_cookie && reply_->has_cookie)
    p = put_option(p, option_cookie, reply_->cookie, OptReply::cookie_size);
  if (reply_ && query_.wants_nsid && !reply_->nsid.empty())
    p = put_option(p, option_nsid, reply_->nsid.data(), reply_->nsid.size());
  uint8_t number[2];
  if (reply_ && query_.wants_keepalive && reply_->keepalive_100ms >= 0) {
    store16(number, static_cast<unsigned>(reply_->keepalive_100ms));
    p = put_option(p, option_keepalive, number, sizeof number);
  }
  if (error_ != ExtendedError::none) put_error(begin);
  if (reply_ && reply_->padding_block != 0 && query_.wants_padding) put_padding(begin);
}

void Composer::put_padding(uint8_t* opt) {
  const size_t block = reply_->padding_block, most = limit_ + opt_size_;
  const size_t whole = (at_ + padding_head + block - 1) / block * block;
  const size_t end = std::min(whole, most);
  if (end < at_ + padding_head) return;
  const size_t size = end - at_ - padding_head;
  uint8_t* p = out_.data() + at_;
  store16(p, option_padding);
  store16(p + 2, static_cast<unsigned>(size));
  std::memset(p + padding_head, 0, size);
  at_ = end;
  store16(opt + 9, load16(opt + 9) + static_cast<unsigned>(padding_head + size));
}

void Composer::put_opt(uint16_t rcode) {
  uint8_t* p = out_.data() + at_;
  static constexpr uint8_t plain[opt_fixed_size] = {0, 0, type_opt, max_udp_size >> 8, max_udp_size & 0xff};
  std::memcpy(p, plain, sizeof plain);
  p[5] = static_cast<uint8_t>(rcode >> 4);
  if (query_.dnssec_ok) p[7] = 0x80;
  store16(p + 9, static_cast<unsigned>(opt_size_ - opt_fixed_size));
  at_ += opt_size_;
  if (query_.has_subnet) {
    const ClientSubnet& subnet = query_.subnet;
    const size_t size = subnet.address_size();
    p += opt_fixed_size;
    store16(p, option_client_subnet);
    store16(p + 2, static_cast<unsigned>(4 + size));
    store16(p + 4, subnet.family);
    p[6] = subnet.source;
    p[7] = scope_;
    std::memcpy(p + 8, subnet.address.bytes.data(), size);
  }
  if (reply_ || error_ != ExtendedError::none) put_more();
}

size_t Composer::finish(uint16_t rcode, bool authoritative) {
  if (truncated_) {
    at_ = query_.has_question ? query_.question_end : header_size;
    std::fill(std::begin(counts_), std::end(counts_), uint16_t{0});
  }
  unsigned flags = flag_qr | (query_.flags & (mask_opcode | flag_rd | flag_cd)) | (rcode & mask_rcode);
  if (query_.flags & mask_opcode) flags &= ~static_cast<unsigned>(flag_rd | flag_cd);
  if (authoritative) flags |= flag_aa;
  if (truncated_) flags |= flag_tc;
  uint8_t* header = out_.data();
  store16(header, query_.id);
  store16(header + 2, flags);
  store16(header + 4, query_.has_question ? 1 : 0);
  store16(header + 6, counts_[0]);
  store16(header + 8, counts_[1]);
  store16(header + 10, counts_[2] + (query_.has_edns ? 1u : 0u));
  if (query_.has_edns) put_opt(rcode);
  return at_;
}

uint16_t rcode_of(Verdict verdict, const OptReply* reply) {
  switch (verdict) {
    case Verdict::notimp:
      return notimp;
    case Verdict::badvers:
      return badvers;
    case Verdict::refused:
      return refused;
    case Verdict::ping:
      return reply && reply->bad_cookie ? badcookie : noerror;
    default:
      return formerr;
  }
}

size_t compose_error(std::span<uint8_t> out, std::span<const uint8_t> packet, const Query& query, Verdict verdict,
                     const OptReply* reply) {
  Composer composer(out, packet, query, plain_udp_size, reply);
  if (verdict == Verdict::refused || verdict == Verdict::notimp) composer.set_error(ExtendedError::not_supported);
  return composer.finish(rcode_of(verdict, reply), false);
}

}  // namespace portolan::dns
