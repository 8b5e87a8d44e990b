#pragma once
// From a data record to a Location: which keys hold what, and the decoding, done by libmaxminddb on
// records that MmdbChecker let through. Each distinct record is read once.
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.hh"
#include "core/geo/location.hh"
#include "core/geo/mmdb_layout.hh"
#include "core/geo/private_file.hh"

struct MMDB_s;

namespace portolan::geo {

// Where in a record a field is: key paths in the order they are tried, the first that is there
// counts.
struct KeyPath {
  std::vector<std::string> parts;
  std::vector<const char*> pointers;  // the parts, then null: libmaxminddb's form
  bool lenient = false;               // a value of another form counts as absent (a key publishers use differently)

  explicit KeyPath(std::string_view dotted, bool lenient_ = false);
  KeyPath(const KeyPath&) = delete;
  KeyPath(KeyPath&&) = default;
  std::string dotted() const;
};

struct FieldKeys {
  std::vector<KeyPath> latitude, longitude, accuracy_radius, country, continent;

  // MaxMind's nested keys, then the flat ones of others; `keys` (field name -> path) replaces what
  // it names.
  static Result<FieldKeys> with(const std::map<std::string, std::string>& keys);
};

class RecordReader {
 public:
  // `file` must live as long as the reader and be the one `layout` was read from.
  static Result<RecordReader> open(const PrivateFile& file, const MmdbLayout& layout, const FieldKeys& keys,
                                   bool wants_coordinates);
  RecordReader(RecordReader&&) noexcept;
  ~RecordReader();

  // The record at this offset of the data section. Errors say what is wrong there.
  Result<Location> read(uint32_t offset);

  // Whether any record read so far knew it.
  bool saw_coordinates() const { return saw_coordinates_; }
  bool saw_code() const { return saw_code_; }

 private:
  struct Close {
    void operator()(MMDB_s* mmdb) const;
  };
  RecordReader(const MmdbLayout& layout, const FieldKeys& keys, bool wants_coordinates);
  Result<bool> number(const std::vector<KeyPath>& paths, uint32_t offset, double low, double high, double& out);
  Status code(const std::vector<KeyPath>& paths, uint32_t offset, std::array<char, 2>& out);
  Status coordinates(uint32_t offset, Location& location);

  std::unique_ptr<MMDB_s, Close> mmdb_;
  MmdbChecker checker_;
  const FieldKeys* keys_;
  bool wants_coordinates_;
  bool saw_coordinates_ = false;
  bool saw_code_ = false;
};

}  // namespace portolan::geo
