#include "edge/disk/log.hh"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/crypto/crc32c.hh"

namespace portolan::edge::disk {
namespace {

constexpr size_t buffer_bytes = 1 << 20;

uint64_t next_unit(uint64_t at) {
  return (at + unit_bytes - 1) / unit_bytes * unit_bytes;
}

}  // namespace

uint64_t Log::space_of(uint64_t body_bytes, uint64_t meta_bytes) {
  return body_bytes + unit_bytes + head_bytes_of(body_bytes, meta_bytes) + footer_entry_bytes;
}

bool Log::fits(Kind kind, uint64_t space) const {
  const Open& open = open_of(kind);
  return open.number >= 0 &&
         open.cursor() + space + footer_bytes_of(open.footer.entries.size()) <= volume_.segment_bytes();
}

Result<bool> Log::open(Kind kind, uint32_t number) {
  SegmentState& segment = volume_.segment(number);
  uint64_t at = volume_.offset_of(number);
  auto size = volume_.data().size();
  if (!size) return size.error();
  if (at < *size)
    if (Status s = volume_.data().discard(at, volume_.segment_bytes()); !s) return s.error();
  if (Status s = volume_.data().allocate(at, volume_.segment_bytes()); !s) {
    if (s.error().code == ENOSPC && segment.epoch == 0) return false;
    return s.error();
  }
  SegmentHead head{next_epoch_++, next_order_, clock_.wall_ms(), kind};
  if (Status s = volume_.data().write_at(encode(head, volume_.secret(), number), at); !s) return s.error();
  segment.synced = 0;
  segment.doubtful = false;
  segment.epoch = head.epoch;
  segment.opened_ms = head.opened_ms;
  segment.first_order = segment.last_order = head.first_order;
  segment.max_sequence = 0;
  segment.entries = 0;
  segment.used = unit_bytes;
  segment.kind = kind;
  segment.open = true;
  segment.known = true;
  if (Status s = volume_.write_row(number); !s) {
    segment.kind = Kind::free;
    segment.open = false;
    return s.error();
  }
  Footer footer;
  footer.epoch = head.epoch;
  footer.first_order = head.first_order;
  footer.used = unit_bytes;
  resume(kind, number, std::move(footer));
  return true;
}

void Log::resume(Kind kind, uint32_t number, Footer contents) {
  Open& open = open_of(kind);
  open.number = number;
  open.footer = std::move(contents);
  open.flushed = open.footer.entries.size();
  open.buffer_at = open.footer.used;
  open.buffer.clear();
  open.buffer.reserve(buffer_bytes);
}

Status Log::write_out(Open& open) {
  if (open.buffer.empty()) return {};
  uint64_t at = volume_.offset_of(static_cast<uint32_t>(open.number)) + open.buffer_at;
  if (Status s = volume_.data().write_at(open.buffer, at); !s) return s;
  written_ += open.buffer.size();
  open.buffer_at += open.buffer.size();
  open.buffer.clear();
  return {};
}

Result<bool> Log::append_body(Open& open, Head& head, bool check, const Source& source) {
  head.fragments.resize(fragments_of(head.body_bytes));
  uint32_t left = head.body_bytes;
  for (uint32_t& sum : head.fragments) {
    uint32_t size = std::min(left, fragment_bytes);
    if (open.buffer.size() + size > buffer_bytes)
      if (Status s = write_out(open); !s) return s.error();
    size_t at = open.buffer.size();
    open.buffer.resize(at + size);
    if (!source({open.buffer.data() + at, size})) return false;
    uint32_t now = crypto::crc32c({open.buffer.data() + at, size});
    if (check && now != sum) return false;
    sum = now;
    left -= size;
  }
  return true;
}

Result<Log::Appended> Log::append(Kind kind, Head head, bool check, const Source& source) {
  Open& open = open_of(kind);
  uint64_t start = open.cursor();
  head.body_at = static_cast<uint32_t>(start);
  auto whole = append_body(open, head, check, source);
  if (!whole) return whole.error();
  if (!*whole) {  // what of it is on the disk already has no head, and the next record is written over it
    open.buffer.resize(start > open.buffer_at ? start - open.buffer_at : 0);
    open.buffer_at = std::min(open.buffer_at, start);
    return Appended{};
  }
  auto number = static_cast<uint32_t>(open.number);
  Place place{number, static_cast<uint32_t>(next_unit(open.cursor()) / unit_bytes)};
  head.order = next_order_++;
  std::string bytes = encode(head, mark_of(volume_.secret(), open.footer.epoch, place));
  size_t padding = next_unit(open.cursor()) - open.cursor();
  if (open.buffer.size() + padding + bytes.size() > buffer_bytes)
    if (Status s = write_out(open); !s) return s.error();
  open.buffer.append(padding, '\0');
  open.buffer += bytes;
  Footer& footer = open.footer;
  footer.entries.push_back({head.key, useless_seconds(head.useless_ms), place.unit, head.body_bytes,
                            static_cast<uint32_t>(head.order - footer.first_order)});
  footer.max_sequence = std::max(footer.max_sequence, head.sequence);
  return Appended{place, true};
}

Status Log::flush(Kind kind) {
  Open& open = open_of(kind);
  if (open.number < 0) return {};
  if (Status s = write_out(open); !s) return s;
  SegmentState& segment = volume_.segment(static_cast<uint32_t>(open.number));
  open.flushed = open.footer.entries.size();
  open.footer.used = static_cast<uint32_t>(open.cursor());
  segment.used = open.footer.used;
  segment.entries = static_cast<uint32_t>(open.flushed);
  segment.max_sequence = open.footer.max_sequence;
  if (open.flushed > 0) segment.last_order = segment.first_order + open.footer.entries.back().order;
  return {};
}

void Log::close(Open& open) {
  volume_.segment(static_cast<uint32_t>(open.number)).open = false;
  open.number = -1;
  open.footer = {};
  open.buffer.clear();
}

Status Log::seal(Kind kind) {
  Open& open = open_of(kind);
  if (open.number < 0) return {};
  auto number = static_cast<uint32_t>(open.number);
  Status flushed = flush(kind);
  if (!flushed) {
    give_up(kind);
    return flushed;
  }
  std::string footer = encode(open.footer, footer_mark(volume_.secret(), number));
  uint64_t at = volume_.offset_of(number) + volume_.segment_bytes() - footer.size();
  Status status = volume_.data().write_at(footer, at);
  written_ += footer.size();
  close(open);
  if (status) status = volume_.write_row(number);
  return status;
}

void Log::give_up(Kind kind) {
  Open& open = open_of(kind);
  if (open.number < 0) return;
  auto number = static_cast<uint32_t>(open.number);
  close(open);
  // Where the row can't be written either, a start finds the segment open, and goes on in it.
  (void)volume_.write_row(number);
}

}  // namespace portolan::edge::disk
