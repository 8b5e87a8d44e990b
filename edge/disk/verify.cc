// Walks a store and reads every record, on line and off line.
#include "edge/disk/engine.hh"

namespace portolan::edge::disk {
namespace {

constexpr size_t records_between_reports = 64;

size_t class_of(uint64_t bytes) {
  size_t at = 0;
  for (uint64_t below = SizeClass::first_below; bytes >= below && at + 1 < SizeClasses().size(); below *= 4) ++at;
  return at;
}

// What is to be done about a record: `damaged` ones are dropped, and it is asked whether the index knows the others.
struct Visitor {
  std::function<void(const FooterEntry&, Place)> damaged;
  std::function<bool(const FooterEntry&, Place)> current;
};

class Walk {
 public:
  Walk(Volume& volume, const Progress& progress, const Visitor& visitor)
      : volume_(volume), progress_(progress), visitor_(visitor), buffer_(fragment_bytes, '\0') {
    for (uint32_t i = 0; i < volume.count(); ++i) total_ += volume.segment(i).used;
  }

  VerifyReport run() {
    for (uint32_t i = 0; i < volume_.count() && goes_on_; ++i)
      if (volume_.segment(i).kind != Kind::free) segment(i);
    tell();
    return std::move(report_);
  }

 private:
  void segment(uint32_t number) {
    SegmentState& state = volume_.segment(number);
    FileRef pin = volume_.pin(number);
    uint64_t epoch = state.epoch, used = state.used, before = done_;
    SegmentReport of{state.kind, number, state.open, state.opened_ms, 0, 0, 0, 0};
    auto contents = volume_.contents(number);
    if (!contents) ++of.damaged;
    SizeClasses sizes;
    size_t since = 0;
    for (const FooterEntry& entry : contents ? contents->entries : std::vector<FooterEntry>()) {
      record(entry, {number, entry.unit}, epoch, of);
      size_t at = class_of(entry.body_bytes);
      ++sizes[at].records;
      sizes[at].bytes += entry.body_bytes;
      done_ += entry.body_bytes;
      if (++since % records_between_reports == 0 && !tell()) break;
    }
    done_ = before + used;
    if (state.epoch != epoch || state.kind == Kind::free) return;  // reclaimed meanwhile: it says nothing
    report_.records += of.records;
    report_.bytes += of.bytes;
    report_.damaged += of.damaged;
    report_.segments.push_back(of);
    for (size_t i = 0; i < sizes.size(); ++i) {
      report_.sizes[i].records += sizes[i].records;
      report_.sizes[i].bytes += sizes[i].bytes;
    }
    tell();
  }

  void record(const FooterEntry& entry, Place place, uint64_t epoch, SegmentReport& of) {
    ++of.records;
    of.bytes += entry.body_bytes;
    auto head = volume_.read_head(place, epoch);
    bool whole = head && *head && (*head)->key == entry.key;
    if (whole) {
      auto body = volume_.check_body(place.segment, **head, buffer_);
      whole = body && *body;
    }
    if (!whole) {
      ++of.damaged;
      if (visitor_.damaged) visitor_.damaged(entry, place);
    } else if (visitor_.current && visitor_.current(entry, place)) {
      ++of.current;
    }
  }

  bool tell() {
    if (progress_ && goes_on_) goes_on_ = progress_(std::min(done_, total_), total_);
    return goes_on_;
  }

  Volume& volume_;
  const Progress& progress_;
  const Visitor& visitor_;
  VerifyReport report_;
  std::string buffer_;
  uint64_t done_ = 0, total_ = 0;
  bool goes_on_ = true;
};

}  // namespace

std::optional<VerifyReport> Disk::Engine::verify(const Progress& progress) {
  std::shared_ptr<Volume> of = volume();
  if (!of || !readable_) return std::nullopt;
  Visitor visitor;
  visitor.damaged = [&](const FooterEntry& entry, Place place) {
    if (!index_.erase(Index::name_of(entry.key), place)) return;
    of->segment(place.segment).live.fetch_sub(1, std::memory_order_relaxed);
    ++counters_.damaged;
    ++trust_;
  };
  visitor.current = [&](const FooterEntry& entry, Place place) {
    auto there = index_.find(Index::name_of(entry.key));
    return there && there->place == place;
  };
  return Walk(*of, progress, visitor).run();
}

std::vector<Used> Disk::Engine::most_used(size_t most) {
  std::vector<Used> out;
  std::shared_ptr<Volume> of = volume();
  if (!of || !readable_) return out;
  std::vector<uint64_t> entries;
  for (unsigned frequency = Index::most_frequency; frequency > 0 && out.size() < most; --frequency) {
    for (uint32_t shard = 0; shard < Index::shards && out.size() < most; ++shard) {
      entries.clear();
      index_.copy(shard, entries);
      for (uint64_t packed : entries) {
        Index::Entry entry = Index::unpack(packed);
        if (entry.frequency != frequency || entry.place.segment >= of->count()) continue;
        FileRef pin = of->pin(entry.place.segment);
        auto head = of->read_head(entry.place, of->segment(entry.place.segment).epoch);
        if (!head || !*head || out.size() >= most) continue;
        out.push_back({(*head)->key, std::move((*head)->meta), (*head)->body_bytes, frequency});
      }
    }
  }
  return out;
}

Result<VerifyReport> verify_store(const std::string& path, FileSystem& files, const Progress& progress) {
  auto volume = Volume::open(files, {path, 0}, 0, 0, Volume::Use::read);
  if (!volume) return volume.error();
  return Walk(**volume, progress, {}).run();
}

}  // namespace portolan::edge::disk
