#pragma once
// The head of a stored answer as bytes, for a store that outlives the process: pure functions. What is read is taken for
// damaged or another's unless every length fits; the rest is for checksums to say.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/message.hh"
#include "edge/disk/disk.hh"
#include "edge/object.hh"
#include "edge/purge/purge.hh"

namespace portolan::edge {

struct Rules;
struct FragmentKey;

struct Saved {
  enum class Kind : uint8_t {
    whole,     // an answer and its body
    parts,     // the head of one that is kept in fragments; no body
    vary,      // what answers of this key vary by: each is stored under its own values. No head, no body
    fragment,  // of what is kept in fragments: no head
    gone,      // nothing: what was there before counts no more. No head, no body
  };
  Kind kind = Kind::whole;
  std::string_view key;            // of compose_key()
  std::string_view names, values;  // of vary_names(), vary_values()
  uint64_t origin = 0;             // of origin_hash()
  Freshness freshness;
  int status = 0;
  std::string_view reason;
  std::string_view lines;   // of Object::wire(), without a Vary of ours
  bool coded = false;       // it had encodings
  bool shows_tags = false;  // its tags are among the lines
  PurgeTags tags;
  uint64_t parts_id = 0, parts_size = 0;  // `vary`: parts_id is VaryKnown::since
  std::string_view validator;             // of parts
};

std::string save(const Saved& saved);
// The views are into `text`.
std::optional<Saved> read_saved(std::string_view text);
// The fields of `lines`; false: they are none.
bool read_lines(std::string_view lines, http::Fields& out);

// Where a record stands: by its key, or by its key and its values of what it varies by.
disk::Key disk_key(std::string_view key);
disk::Key disk_key(std::string_view key, std::string_view names, std::string_view values);
disk::Key disk_key(const FragmentKey& key);

}  // namespace portolan::edge
