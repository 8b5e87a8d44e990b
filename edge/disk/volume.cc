#include "edge/disk/volume.hh"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/crypto/crc32c.hh"

namespace portolan::edge::disk {
namespace {

constexpr const char* names[] = {"store", "data", "segments", "index.a", "index.b"};

class Pin final : public FileHandle {
 public:
  Pin(std::shared_ptr<Volume> volume, uint32_t segment)
      : FileHandle(volume->data().handle() ? volume->data().handle()->fd() : -1, Lent{}),
        volume_(std::move(volume)),
        segment_(segment) {
    volume_->segment(segment_).pins.fetch_add(1);
  }
  ~Pin() override { volume_->segment(segment_).pins.fetch_sub(1); }

 private:
  std::shared_ptr<Volume> volume_;
  uint32_t segment_;
};

// What of it becomes of the names.
Result<std::string> move_aside(FileSystem& files, const std::string& path) {
  auto listed = files.list(path);
  if (!listed) return listed.error();
  auto taken = [&](const std::string& name) {
    return std::find(listed->begin(), listed->end(), name) != listed->end();
  };
  for (int n = 1;; ++n) {
    std::string suffix = ".set-aside-" + std::to_string(n);
    if (std::any_of(std::begin(names), std::end(names), [&](const char* name) { return taken(name + suffix); }))
      continue;
    for (const char* name : names)
      if (taken(name))
        if (Status s = files.rename(path + "/" + name, path + "/" + name + suffix); !s) return s.error();
    return suffix;
  }
}

Result<std::unique_ptr<File>> open_locked(FileSystem& files, const std::string& path, FileSystem::Open how) {
  auto store = files.open(path + "/store", how);
  if (!store) return store;
  Status locked = (*store)->lock();
  if (!locked && locked.error().code == EWOULDBLOCK) return Error{path + " is in use", EWOULDBLOCK};
  if (!locked) return locked.error();
  return store;
}

void take(const Row& row, SegmentState& segment) {
  segment.epoch = row.epoch;
  segment.opened_ms = row.opened_ms;
  segment.used = row.used;
  segment.kind = row.kind;
  segment.open = row.open;
  segment.entries = row.entries;
  segment.first_order = row.first_order;
  segment.last_order = row.last_order;
  segment.max_sequence = row.max_sequence;
}

// One of the copies may be where the disk can't read any more.
Result<std::string> read_superblock(File& store) {
  std::string bytes;
  Error error;
  int failed = 0;
  for (uint64_t at = 0; at < superblock_bytes; at += superblock_bytes / 2) {
    std::string copy(superblock_bytes / 2, '\0');
    auto n = store.read_at(copy, at);
    if (!n) {
      error = n.error();
      ++failed;
    }
    bytes.append(copy, 0, n ? *n : copy.size());
  }
  if (failed == 2) return error;
  return bytes;
}

// A superblock and nothing else is what a start that was killed left.
Result<bool> has_data(FileSystem& files, const std::string& path) {
  auto data = files.open(path + "/data", FileSystem::Open::read);
  if (!data && data.error().code == ENOENT) return false;
  if (!data) return data.error();
  auto size = (*data)->size();
  if (!size) return size.error();
  return *size > 0;
}

Status make_store(FileSystem& files, const std::string& path, File& store, Superblock& block, uint64_t segment_bytes,
                  int64_t now_ms) {
  block = {format_version, segment_bytes, crypto::HashKey::fresh(), now_ms};
  for (const char* name : {"segments", "index.a", "index.b"}) {
    Status removed = files.remove(path + "/" + name);
    if (!removed && removed.error().code != ENOENT) return removed;
  }
  if (Status s = store.write_at(encode(block), 0); !s) return s;
  if (Status s = store.sync(); !s) return s;
  return files.sync_directory(path);
}

}  // namespace

Volume::Volume(std::string path, Superblock block, std::unique_ptr<File> store) noexcept
    : path_(std::move(path)), block_(block), store_(std::move(store)) {}

Result<std::shared_ptr<Volume>> Volume::open(FileSystem& files, const Config& config, uint64_t segment_bytes,
                                             int64_t now_ms, Use use) {
  const std::string& path = config.path;
  bool write = use == Use::write;
  if (write)
    if (Status s = files.make_directories(path); !s) return s.error();
  std::string before;
  for (bool aside = false;; aside = true) {
    auto store = open_locked(files, path, write ? FileSystem::Open::create : FileSystem::Open::read);
    if (!store) return store.error();
    auto bytes = read_superblock(**store);
    if (!bytes) return bytes.error();
    Superblock block;
    Judgement judgement = parse(*bytes, block);
    if (judgement != Judgement::ours) {
      if (!write) return Error{path + " holds no store of this version", 0};
      auto used = has_data(files, path);
      if (!used) return used.error();
      if ((*used || judgement == Judgement::other_version) && !aside) {
        auto suffix = move_aside(files, path);
        if (!suffix) return suffix.error();
        before = std::string(judgement == Judgement::other_version ? "it is of another version"
                                                                   : "its first block is damaged, or another's") +
                 "; its files end in " + *suffix + " now";
        continue;
      }
      if (Status s = make_store(files, path, **store, block, segment_bytes, now_ms); !s) return s.error();
    }
    std::shared_ptr<Volume> volume(new Volume(path, block, std::move(*store)));
    volume->set_aside_ = std::move(before);
    if (Status s = volume->load(files, config.bytes, use); !s) return s.error();
    return volume;
  }
}

Status Volume::load(FileSystem& files, uint64_t bytes, Use use) {
  auto how = use == Use::write ? FileSystem::Open::create : FileSystem::Open::read;
  auto data = files.open(path_ + "/data", how);
  if (!data) return data.error();
  data_ = std::move(*data);
  auto table = files.open(path_ + "/segments", how);
  if (!table) return table.error();
  table_ = std::move(*table);
  auto size = data_->size();
  if (!size) return size.error();
  uint64_t there = (*size + segment_bytes() - 1) / segment_bytes();
  uint64_t wanted = use == Use::read ? there : std::max<uint64_t>(bytes / segment_bytes(), least_segments);
  uint64_t count = std::min<uint64_t>(wanted, most_segments);
  if (use == Use::write && there > count) {
    if (Status s = data_->resize(count * segment_bytes()); !s) return s;
    if (Status s = table_->resize(count * row_bytes); !s) return s;
  }
  segments_ = std::vector<SegmentState>(count);
  return load_table(*size);
}

// What of the table can't be read or is damaged the segments themselves tell.
Status Volume::load_table(uint64_t data_bytes) {
  constexpr size_t rows_at_once = 64;
  std::string bytes(rows_at_once * row_bytes, '\0');
  uint32_t parts = 0, failed = 0;
  Error error;
  for (uint32_t first = 0; first < count(); first += rows_at_once) {
    auto n = table_->read_at(bytes, uint64_t{first} * row_bytes);
    ++parts;
    if (!n) {
      error = n.error();
      ++failed;
    }
    for (uint32_t i = first; i < std::min<uint64_t>(first + rows_at_once, count()); ++i) {
      std::string_view text(bytes.data() + (i - first) * row_bytes, row_bytes);
      bool there = n && (i - first + 1) * row_bytes <= *n;
      auto row = there ? parse_row(text, secret(), i) : std::nullopt;
      if (row)
        take(*row, segments_[i]);
      else if (offset_of(i) < data_bytes)
        find_lost(i);
    }
  }
  // Not a spot, but the disk: nothing is to be concluded from that.
  if (failed == parts) return error;
  return {};
}

void Volume::find_lost(uint32_t number) {
  SegmentState& segment = segments_[number];
  std::string bytes(unit_bytes, '\0');
  auto n = data_->read_at(bytes, offset_of(number));
  auto head = n ? parse_segment_head(bytes, secret(), number) : std::nullopt;
  if (head) {
    segment.epoch = head->epoch;
    segment.opened_ms = head->opened_ms;
    segment.kind = head->kind;
    segment.first_order = head->first_order;
    segment.known = false;
    return;
  }
  auto footer = read_footer(number, 0);
  if (!footer || !*footer) return;  // as free as any
  segment.epoch = (*footer)->epoch;
  segment.kind = Kind::probation;
  segment.first_order = (*footer)->first_order;
  segment.known = false;
}

Status Volume::write_row(uint32_t number) {
  const SegmentState& s = segments_[number];
  Row row{s.epoch, s.first_order, s.last_order, s.max_sequence, s.opened_ms, s.used, s.entries, s.kind, s.open};
  return table_->write_at(encode(row, secret(), number), uint64_t{number} * row_bytes);
}

FileRef Volume::pin(uint32_t segment) {
  return std::make_shared<Pin>(shared_from_this(), segment);
}

bool Volume::still_there(FileSystem& files) const {
  auto store = files.open(path_ + "/store", FileSystem::Open::read);
  if (!store) return store.error().code != ENOENT && store.error().code != ENOTDIR;
  auto bytes = read_superblock(**store);
  if (!bytes) return true;
  Superblock block;
  return parse(*bytes, block) == Judgement::ours && block.secret.a == block_.secret.a &&
         block.secret.b == block_.secret.b;
}

Result<std::optional<Head>> Volume::read_head(Place place, uint64_t epoch) {
  constexpr size_t first_read = 2048;
  uint64_t at = uint64_t{place.unit} * unit_bytes;
  std::string bytes(std::min<uint64_t>(first_read, segment_bytes() - at), '\0');
  uint64_t mark = mark_of(secret(), epoch, place);
  auto n = data_->read_at(bytes, offset_of(place.segment) + at);
  if (!n) return n.error();
  uint32_t length = head_length(std::string_view(bytes).substr(0, *n), mark);
  if (length == 0 || at + length > segment_bytes()) return std::optional<Head>();
  if (length > bytes.size()) {
    bytes.resize(length);
    n = data_->read_at(bytes, offset_of(place.segment) + at);
    if (!n) return n.error();
  }
  return parse_head(std::string_view(bytes).substr(0, *n), mark, place.unit);
}

Result<bool> Volume::check_body(uint32_t segment, const Head& head, std::span<char> buffer) {
  uint64_t at = offset_of(segment) + head.body_at;
  uint32_t left = head.body_bytes;
  for (uint32_t sum : head.fragments) {
    uint32_t size = std::min(left, fragment_bytes);
    auto n = data_->read_at(buffer.first(size), at);
    if (!n) return n.error();
    if (*n != size || crypto::crc32c({buffer.data(), size}) != sum) return false;
    at += size;
    left -= size;
  }
  return true;
}

Result<bool> Volume::read_body(uint32_t segment, const Head& head, char* out) {
  auto n = data_->read_at({out, head.body_bytes}, offset_of(segment) + head.body_at);
  if (!n) return n.error();
  if (*n != head.body_bytes) return false;
  std::string_view rest(out, head.body_bytes);
  for (uint32_t sum : head.fragments) {
    if (crypto::crc32c(rest.substr(0, fragment_bytes)) != sum) return false;
    rest.remove_prefix(std::min<size_t>(rest.size(), fragment_bytes));
  }
  return true;
}

Result<std::optional<Footer>> Volume::read_footer(uint32_t segment, uint64_t epoch) {
  uint64_t end = offset_of(segment) + segment_bytes();
  uint64_t mark = footer_mark(secret(), segment);
  std::string bytes(std::min<uint64_t>(segment_bytes() / 2, 32 << 10), '\0');
  auto n = data_->read_at(bytes, end - bytes.size());
  if (!n) return n.error();
  if (*n != bytes.size()) return std::optional<Footer>();
  uint64_t length = footer_length(std::string_view(bytes).substr(bytes.size() - footer_fixed_bytes), mark);
  if (length == 0 || length > segment_bytes()) return std::optional<Footer>();
  if (length > bytes.size()) {
    bytes.resize(length);
    n = data_->read_at(bytes, end - length);
    if (!n) return n.error();
  }
  auto footer = parse_footer(std::string_view(bytes).substr(bytes.size() - length), mark, segment_bytes());
  if (footer && epoch != 0 && footer->epoch != epoch) footer.reset();
  return footer;
}

Volume::Scanned Volume::scan(uint32_t segment, uint64_t epoch) {
  Scanned scanned;
  Footer& out = scanned.footer;
  out.epoch = epoch;
  out.used = unit_bytes;
  std::vector<uint64_t> orders;
  std::string bytes(std::min<uint64_t>(1 << 20, segment_bytes()), '\0');
  for (uint64_t at = 0; at < segment_bytes(); at += bytes.size()) {
    auto n = data_->read_at(bytes, offset_of(segment) + at);
    if (!n) {
      scanned.complete = false;
      continue;
    }
    for (size_t in = 0; in + unit_bytes <= *n; in += unit_bytes) {
      Place place{segment, static_cast<uint32_t>((at + in) / unit_bytes)};
      if (place.unit == 0) continue;
      std::string_view unit = std::string_view(bytes).substr(in, unit_bytes);
      if (head_length(unit, mark_of(secret(), epoch, place)) == 0) continue;
      auto head = read_head(place, epoch);
      if (!head) scanned.complete = false;
      if (!head || !*head) continue;
      const Head& h = **head;
      out.entries.push_back({h.key, useless_seconds(h.useless_ms), place.unit, h.body_bytes, 0});
      orders.push_back(h.order);
      out.max_sequence = std::max(out.max_sequence, h.sequence);
      out.used = static_cast<uint32_t>(uint64_t{place.unit} * unit_bytes + head_bytes_of(h.body_bytes, h.meta.size()));
    }
    if (*n < bytes.size()) break;
  }
  if (!orders.empty()) out.first_order = *std::min_element(orders.begin(), orders.end());
  for (size_t i = 0; i < orders.size(); ++i) out.entries[i].order = static_cast<uint32_t>(orders[i] - out.first_order);
  return scanned;
}

Result<Footer> Volume::contents(uint32_t segment) {
  uint64_t epoch = segments_[segment].epoch;
  if (!segments_[segment].open) {
    auto footer = read_footer(segment, epoch);
    if (footer && *footer) return std::move(**footer);
  }
  Scanned scanned = scan(segment, epoch);
  if (!scanned.complete && scanned.footer.entries.empty()) return Error{"cannot read a segment", EIO};
  return std::move(scanned.footer);
}

}  // namespace portolan::edge::disk
