#pragma once
// A stored response: an immutable head and a body that may still be growing. Refcounted; shared by
// all threads. A 304 makes a new Object over the same body (RFC 9111 §3.2), so nobody ever sees a
// head change.
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/http/message.hh"
#include "edge/purge/purge.hh"

namespace portolan::edge {

class Content;
class Encodings;
class Parts;

// What freshness is computed from (RFC 9111 §4.2). Wall milliseconds.
struct Freshness {
  int64_t response_ms = 0;     // when the response was received
  int64_t initial_age_ms = 0;  // corrected_initial_age, §4.2.3
  int64_t lifetime_ms = 0;     // freshness_lifetime, §4.2.1; 0: stale from the start
  // How long past that it may be served, where nothing forbids to serve it stale (§4.2.4):
  int64_t stale_while_revalidate_ms = 0;  // while it is validated, RFC 5861 §3
  int64_t stale_if_error_ms = 0;          // in place of an error, RFC 5861 §4
  int64_t stale_if_unreachable_ms = 0;    // while nobody can be asked: what stale-if-error says, else the configuration
  bool no_cache = false;                  // validate before every use, §5.2.2.4
  bool must_revalidate = false;           // never served stale because a client asks for it
  bool immutable = false;                 // while it is fresh, no client's reload validates it (RFC 8246)
  bool heuristic = false;
  bool status_ruled = false;   // a rule of the configuration names its status
  bool stand_in_said = false;  // how long it stands in for errors, or that it mustn't: no rule adds to that; not saved
};

class Object {
 public:
  int status() const { return status_; }
  std::string_view reason() const { return reason_; }
  // End-to-end fields: without hop-by-hop ones, those Connection named, Age and Content-Length; with a Date (RFC 9110
  // §6.6.1).
  const http::Fields& fields() const { return fields_; }
  // The same as they are sent: lines with their CRLF, one after the other.
  std::string_view wire() const { return wire_; }
  // Of the whole body, when known: always once it is complete.
  std::optional<uint64_t> content_length() const;
  bool complete() const;
  bool stored() const;                             // false: only for those who follow its fetch
  std::string_view etag() const { return etag_; }  // as received, "W/" included; may be empty
  std::string_view last_modified() const { return last_modified_; }
  const Freshness& freshness() const { return freshness_; }
  // current_age (RFC 9111 §4.2.3), in seconds: the value of the Age field to send.
  int64_t age_s(int64_t now_ms) const;
  // Freshness left, negative when stale: the ttl of Cache-Status.
  int64_t ttl_s(int64_t now_ms) const;
  int64_t left_ms(int64_t now_ms) const;  // the same in milliseconds
  bool fresh(int64_t now_ms) const;
  // Whether it may stand in: for an answer that is a 500, 502, 503 or 504, for none at all, while it is validated.
  enum class StandIn : uint8_t { error, unreachable, validation };
  bool may_stand_in(StandIn in_place_of, int64_t now_ms) const;
  // Grows with every fetch this cache begins: what is invalidated later than it began makes its answer useless.
  uint64_t sequence() const { return sequence_; }
  const std::vector<uint64_t>& groups() const { return groups_; }  // of group_hashes()
  const PurgeTags& tags() const { return tags_; }
  bool safe() const { return safe_; }              // "cdn-safe" lets it be stored
  bool shows_tags() const { return shows_tags_; }  // the fields that named them are among fields()
  const std::shared_ptr<Content>& content() const { return content_; }
  // Set: it is kept in fragments, and its content is empty: read it through a PartsReader.
  const std::shared_ptr<Parts>& parts() const;
  // What it is in other content codings; null where it is sent as it is to everybody.
  Encodings* encodings() const { return encodings_.get(); }
  // wire() without the Vary that goes with encodings, and what its groups were hashed with: to make it anew.
  std::string_view lines_as_received() const { return wire_.substr(0, received_bytes_); }
  uint64_t origin() const { return origin_; }
  size_t head_bytes() const { return head_bytes_; }  // memory of the head, overhead included

 private:
  friend class ObjectBuilder;
  Object() = default;
  int64_t age_ms(int64_t now_ms) const;
  int status_ = 0;
  uint64_t sequence_ = 0;
  size_t head_bytes_ = 0;
  size_t received_bytes_ = 0;
  uint64_t origin_ = 0;
  Freshness freshness_;
  std::string_view reason_, etag_, last_modified_, wire_;
  http::Fields fields_;
  std::vector<uint64_t> groups_;
  PurgeTags tags_;
  BlockRef storage_;
  std::shared_ptr<Content> content_;
  std::shared_ptr<Encodings> encodings_;
  bool own_vary_ = false;  // the last field is a Vary of ours
  bool shows_tags_ = false;
  bool safe_ = true;
};
using ObjectRef = std::shared_ptr<const Object>;

}  // namespace portolan::edge
