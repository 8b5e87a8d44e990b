#pragma once
// Writing an answer into the caller's buffer, without the heap: question echoed, names compressed
// (RFC 1035 §4.1.4, and only in types that RFC knew: RFC 3597 §4), EDNS answered (RFC 6891),
// truncation as "TC and nothing but OPT".
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/dns/packed_set.hh"
#include "core/dns/query.hh"

namespace portolan::dns {

enum class Section : uint8_t { answer, authority, additional };

// How long an answer may be: min(what the client takes, 1232) over UDP, 65535 over TCP.
inline size_t answer_limit(const Query& query, bool tcp) {
  return tcp ? max_message_size : std::min<size_t>(query.udp_size, max_udp_size);
}

// What the answer's OPT says beside Client Subnet, each only where the query asked for it.
struct OptReply {
  static constexpr size_t cookie_size = 24;  // the client's half, and ours (RFC 9018 §4)
  bool has_cookie = false;
  uint8_t cookie[cookie_size];
  std::string_view nsid;     // who answers (RFC 5001); empty: not told
  int keepalive_100ms = -1;  // RFC 7828, over TCP alone; -1: not told
  size_t padding_block = 0;  // RFC 8467: the message is as long as some of these; 0: no padding
  bool bad_cookie = false;   // the server's half it has is none of ours
};

class Composer {
 public:
  // `packet` is what `query` was read from. `out` holds at least 512 bytes; no more than min(limit,
  // out.size()) are used. `reply` may be null: nothing more to say.
  Composer(std::span<uint8_t> out, std::span<const uint8_t> packet, const Query& query, size_t limit,
           const OptReply* reply = nullptr)
      : out_(out),
        query_(query),
        reply_(reply),
        opt_size_(opt_size(query, reply)),
        limit_(std::min(limit, out.size()) - opt_size_) {
    if (!query.has_question) return;
    std::memcpy(out_.data() + header_size, packet.data() + header_size, query.question_end - header_size);
    at_ = query.question_end;
  }
  Composer(const Composer&) = delete;
  Composer& operator=(const Composer&) = delete;

  // Appends one record; sections in their order. Names in `owner` and `rdata` are
  // uncompressed wire form. False: no room. In the answer and authority sections that truncates the
  // message; an additional record is left out.
  bool add(Section section, std::string_view owner, uint16_t type, uint32_t ttl_s, std::string_view rdata,
           uint16_t record_class = class_in);

  // The same, of class IN, for an owner that stands in the message already, at `owner` (header_size: the
  // question's name), and RDATA without names.
  bool add_at(Section section, size_t owner, uint16_t type, uint32_t ttl_s, std::string_view rdata) {
    if (!has_room(section, 12 + rdata.size())) return false;
    uint8_t* p = out_.data() + at_;
    store16(p, 0xc000u | static_cast<unsigned>(owner));
    store16(p + 2, type);
    store16(p + 4, class_in);
    store32(p + 6, ttl_s);
    store16(p + 10, static_cast<unsigned>(rdata.size()));
    if (rdata.size() == 4) {  // A: without a call
      std::memcpy(p + 12, rdata.data(), 4);
    } else {
      std::memcpy(p + 12, rdata.data(), rdata.size());
    }
    at_ += 12 + rdata.size();
    counts_[static_cast<unsigned>(section)]++;
    return true;
  }
  // All records of a set or none, their owner at `owner`. The question's name ends in the set's
  // zone, `zone_size` bytes long.
  bool add_set(Section section, size_t owner, const PackedSet& set, size_t zone_size);
  // Where the RDATA will begin of the record that add_set() adds next.
  size_t next_rdata() const { return at_ + 12; }
  // `at`, where a name begins, or where it goes on if that is a pointer: fit to be pointed at.
  size_t name_at(size_t at) const { return out_[at] < 0xc0 ? at : load16(&out_[at]) & 0x3fffu; }

  // Client Subnet's scope in the answer; it is echoed only if it was asked. Default 0: untailored.
  void set_scope(uint8_t scope) { scope_ = scope; }
  // Why, where the rcode alone doesn't say; left out where there is no EDNS or no room.
  void set_error(ExtendedError error) { error_ = error; }
  // What must not be left out has no room: TC and nothing but OPT.
  void truncate() { truncated_ = true; }
  bool truncated() const { return truncated_; }
  unsigned answers() const { return counts_[0]; }

  // Writes header and OPT; returns the message's size.
  size_t finish(uint16_t rcode, bool authoritative);

 private:
  struct Suffix {
    uint32_t hash;
    uint16_t offset;
  };
  static constexpr unsigned max_suffixes = 64;
  static constexpr size_t opt_fixed_size = 11;
  static size_t opt_size(const Query& query, const OptReply* reply) {
    if (!query.has_edns) return 0;
    const size_t size = opt_fixed_size + (query.has_subnet ? 8 + query.subnet.address_size() : 0);
    return reply ? size + reply_size(query, *reply) : size;
  }
  [[gnu::noinline]] static size_t reply_size(const Query& query, const OptReply& reply);
  bool put(const void* data, size_t size);
  bool put_name(std::string_view name);
  bool put_rdata(uint16_t type, std::string_view rdata);
  bool has_room(Section section, size_t size) {
    if (truncated_) return false;
    const bool fits = limit_ - at_ >= size;
    if (!fits) truncated_ = section != Section::additional;
    return fits;
  }
  bool put_record(std::string_view owner, uint16_t type, uint16_t record_class, uint32_t ttl_s, std::string_view rdata);
  void remember_question();
  void remember(uint32_t hash, size_t offset);
  size_t find(uint32_t hash, std::string_view suffix) const;  // 0: not there
  bool matches(size_t offset, std::string_view suffix) const;
  void put_opt(uint16_t rcode);
  [[gnu::noinline]] void put_more();
  void put_error(uint8_t* opt);
  void put_padding(uint8_t* opt);

  std::span<uint8_t> out_;
  const Query& query_;
  const OptReply* reply_;
  size_t opt_size_;
  size_t limit_;  // where records must end, OPT's room already taken off
  size_t at_ = header_size;
  uint16_t counts_[3] = {0, 0, 0};
  uint8_t scope_ = 0;
  ExtendedError error_ = ExtendedError::none;
  bool truncated_ = false;
  bool question_remembered_ = false;
  unsigned suffix_count_ = 0;
  Suffix suffixes_[max_suffixes];
};

// The whole answer to a packet that `parse_query` did not pass (any verdict but drop, chaos and answer).
size_t compose_error(std::span<uint8_t> out, std::span<const uint8_t> packet, const Query& query, Verdict verdict,
                     const OptReply* reply = nullptr);
// The rcode such an answer carries. Of a ping it says whether the cookie is one of ours (RFC 7873 §5.4).
uint16_t rcode_of(Verdict verdict, const OptReply* reply);

}  // namespace portolan::dns
