#pragma once
// From a data record to a Location: which keys hold what, and the decoding, done by libmaxminddb on
// records that MmdbChecker let through. Each distinct record is read once.
#include <map>
#include <memory>
#include <span>
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
  std::vector<KeyPath> latitude, longitude, accuracy_radius, country, continent, region, asn;

  // MaxMind's nested keys, then the flat ones of others; `keys` (field name -> path) replaces what
  // it names.
  static Result<FieldKeys> with(const std::map<std::string, std::string>& keys);
};

class RecordReader {
 public:
  // What is read from records; the rest of a Location stays unknown.
  struct Wanted {
    bool coordinates = true;
    bool codes = true;  // of country, region and continent
    bool asn = true;
  };
  // `file` must live as long as the reader and be the one `layout` was read from.
  static Result<RecordReader> open(const PrivateFile& file, const MmdbLayout& layout, const FieldKeys& keys,
                                   const Wanted& wanted);
  RecordReader(RecordReader&&) noexcept;
  ~RecordReader();

  // The record at this offset of the data section. Errors say what is wrong there.
  Result<Location> read(uint32_t offset);

  // Whether any record read so far knew it.
  bool saw_coordinates() const { return saw_coordinates_; }
  bool saw_code() const { return saw_code_; }
  bool saw_asn() const { return saw_asn_; }

 private:
  struct Close {
    void operator()(MMDB_s* mmdb) const;
  };
  RecordReader(const MmdbLayout& layout, const FieldKeys& keys, const Wanted& wanted);
  Result<bool> number(const std::vector<KeyPath>& paths, uint32_t offset, double low, double high, double& out);
  // A code of `shortest` to out.size() characters.
  Status code(const std::vector<KeyPath>& paths, uint32_t offset, size_t shortest, std::span<char> out);
  Status codes(uint32_t offset, Location& location);
  Status coordinates(uint32_t offset, Location& location);

  std::unique_ptr<MMDB_s, Close> mmdb_;
  MmdbChecker checker_;
  const FieldKeys* keys_;
  Wanted wanted_;
  bool saw_coordinates_ = false;
  bool saw_code_ = false;
  bool saw_asn_ = false;
};

}  // namespace portolan::geo
