#include "daemon/cache_verify.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/base/clock.hh"
#include "daemon/cache_report.hh"
#include "daemon/table.hh"

namespace portolan::daemon {
namespace {

using edge::disk::SegmentReport;
using edge::disk::SizeClass;
using edge::disk::SizeClasses;
using edge::disk::VerifyReport;
using nlohmann::json;

constexpr int64_t draw_every_ms = 100;
constexpr uint64_t bar_width = 30;

// There may be a hundred thousand of them.
void add_segments(std::string& out, const VerifyReport& report, bool current) {
  out += "\"segments\":[";
  bool first = true;
  for (const SegmentReport& s : report.segments) {
    fmt::format_to(std::back_inserter(out),
                   R"({}{{"number":{},"kind":"{}","open":{},"opened_ms":{},"records":{},"bytes":{},"damaged":{})",
                   first ? "" : ",", s.number, name_of(s.kind), s.open, s.opened_ms, s.records, s.bytes, s.damaged);
    if (current) fmt::format_to(std::back_inserter(out), ",\"current\":{}", s.current);
    out += '}';
    first = false;
  }
  out += ']';
}

template <class T>
bool take(const json& from, const char* key, T& into) {
  auto it = from.find(key);
  if (it == from.end()) return false;
  auto value = it->get_ptr<const std::conditional_t<std::is_same_v<T, uint64_t>, json::number_unsigned_t, T>*>();
  if (value) into = *value;
  return value != nullptr;
}

// 0: the last class has no bound.
uint64_t bound_of(size_t size_class) {
  return size_class + 1 < SizeClasses().size() ? SizeClass::first_below << (2 * size_class) : 0;
}

json sizes_of(const VerifyReport& report) {
  json out = json::array();
  for (size_t i = 0; i < report.sizes.size(); ++i)
    out.push_back({{"below", bound_of(i)}, {"records", report.sizes[i].records}, {"bytes", report.sizes[i].bytes}});
  return out;
}

bool take_sizes(const json& from, SizeClasses& into) {
  auto sizes = from.find("sizes");
  if (sizes == from.end() || !sizes->is_array() || sizes->size() != into.size()) return false;
  for (size_t i = 0; i < into.size(); ++i) {
    const json& one = (*sizes)[i];
    if (!one.is_object() || !take(one, "records", into[i].records) || !take(one, "bytes", into[i].bytes)) return false;
  }
  return true;
}

std::string counted(uint64_t n, const char* one) {
  return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s");
}

uint64_t damaged(const VerifyState& state) {
  uint64_t all = 0;
  for (const StoreCheck& s : state.stores) all += s.report ? s.report->damaged : 0;
  return all;
}

}  // namespace

std::string to_json(const VerifyState& state, bool segments) {
  std::string out = fmt::format(R"({{"number":{},"running":{},"stores":[)", state.number, state.running);
  for (const StoreCheck& s : state.stores) {
    json one = {{"name", s.name}, {"done", s.done}, {"total", s.total}, {"failure", s.failure}};
    if (s.report) {
      one["records"] = s.report->records;
      one["bytes"] = s.report->bytes;
      one["damaged"] = s.report->damaged;
      one["damaged_in"] = json::array();
      for (const SegmentReport& segment : s.report->segments)
        if (segment.damaged > 0) one["damaged_in"].push_back(segment.number);
      one["sizes"] = sizes_of(*s.report);
    }
    if (&s != state.stores.data()) out += ',';
    out += one.dump(-1, ' ', false, json::error_handler_t::replace);
    if (!s.report || !segments) continue;
    out.back() = ',';
    add_segments(out, *s.report, state.number > 0);
    out += '}';
  }
  return out + "]}";
}

Result<VerifyState> parse_verify_state(std::string_view text) {
  Error wrong{"the daemon's answer is no state of a check"};
  json j = json::parse(text, nullptr, false);
  VerifyState state;
  if (!j.is_object() || !take(j, "number", state.number) || !take(j, "running", state.running)) return wrong;
  auto stores = j.find("stores");
  if (stores == j.end() || !stores->is_array()) return wrong;
  for (const json& one : *stores) {
    StoreCheck s;
    if (!one.is_object() || !take(one, "name", s.name) || !take(one, "done", s.done) || !take(one, "total", s.total) ||
        !take(one, "failure", s.failure))
      return wrong;
    if (VerifyReport r; take(one, "records", r.records)) {
      if (!take(one, "bytes", r.bytes) || !take(one, "damaged", r.damaged) || !take_sizes(one, r.sizes)) return wrong;
      if (auto in = one.find("damaged_in"); in != one.end() && in->is_array())
        for (const json& number : *in) {
          if (!number.is_number_unsigned()) return wrong;
          SegmentReport& segment = r.segments.emplace_back();
          segment.number = number.get<uint32_t>();
          segment.damaged = 1;
        }
      s.report = std::make_shared<const VerifyReport>(std::move(r));
    }
    state.stores.push_back(std::move(s));
  }
  return state;
}

std::string to_text(const VerifyState& state) {
  std::string out;
  for (const StoreCheck& s : state.stores) {
    if (!s.report) continue;
    out += fmt::format("{}: {}, {}, {}\n", s.name, counted(s.report->records, "record"), size(s.report->bytes),
                       s.report->damaged ? fmt::format("{} damaged", s.report->damaged) : "none damaged");
    if (std::string in = damaged_segments(*s.report); !in.empty()) {
      out.pop_back();
      out += fmt::format(", in segment {}\n", in);
    }
  }
  return out;
}

std::string damaged_segments(const VerifyReport& report) {
  constexpr size_t most = 10;
  std::string out;
  size_t count = 0;
  for (const SegmentReport& segment : report.segments)
    if (segment.damaged > 0 && ++count <= most) out += fmt::format("{}{}", out.empty() ? "" : ", ", segment.number);
  return count > most ? out + fmt::format(" and {} more", count - most) : out;
}

std::string sizes_text(const VerifyState& state) {
  Table table({"STORE", "SIZE", "RECORDS", "BYTES"}, {2, 3});
  for (const StoreCheck& s : state.stores) {
    if (!s.report) continue;
    for (size_t i = 0; i < s.report->sizes.size(); ++i)
      table.row({i == 0 ? s.name : "", bound_of(i) ? "under " + size(bound_of(i)) : size(bound_of(i - 1)) + " and more",
                 std::to_string(s.report->sizes[i].records), size(s.report->sizes[i].bytes)});
  }
  return table.text();
}

std::vector<std::string> failures(const VerifyState& state) {
  std::vector<std::string> out;
  for (const StoreCheck& s : state.stores)
    if (!s.failure.empty())
      out.push_back(fmt::format("{}: {}: {}", s.name, s.report ? "not all was checked" : "not checked", s.failure));
  return out;
}

int exit_code(const VerifyState& state) {
  if (damaged(state) > 0) return 1;
  bool all = !state.stores.empty() && !state.running;
  for (const StoreCheck& s : state.stores) all = all && s.report && s.failure.empty();
  return all ? 0 : 2;
}

VerifyBar::~VerifyBar() {
  if (on_) err_ << "\r\033[K" << std::flush;
}

void VerifyBar::draw(const StoreCheck& s) {
  if (!on_) return;
  uint64_t total = std::max<uint64_t>(1, s.total), done = std::min(s.done, total);
  auto full = static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * bar_width);
  err_ << fmt::format("\r\033[K[{:=<{}}{: <{}}] {}: {} of {}", "", full, "", static_cast<int>(bar_width) - full, s.name,
                      size(s.done), size(s.total))
       << std::flush;
}

int verify_directory(const VerifyOptions& options, std::ostream& out, std::ostream& err) {
  VerifyState state;
  state.stores.resize(1);
  StoreCheck& store = state.stores[0];
  store.name = options.store;
  SystemClock clock;
  int64_t drawn_ms = clock.now_ms() - draw_every_ms;
  auto report = [&] {
    VerifyBar bar(err, options.bar);
    return edge::disk::verify_store(options.store, real_files(), [&](uint64_t done, uint64_t total) {
      store.done = done;
      store.total = total;
      if (clock.now_ms() - drawn_ms >= draw_every_ms) {
        bar.draw(store);
        drawn_ms = clock.now_ms();
      }
      return true;
    });
  }();
  if (!report) {
    store.failure = report.error().text;
    if (report.error().code == EWOULDBLOCK)
      store.failure = "a daemon has it open; leave out --store to have it check its caches";
  } else {
    store.report = std::make_shared<const VerifyReport>(std::move(*report));
  }
  if (!options.json) return tell(state, options, out, err);
  out << to_json(state, true) << "\n";
  return exit_code(state);
}

int tell(const VerifyState& state, const VerifyOptions& options, std::ostream& out, std::ostream& err) {
  out << to_text(state);
  if (options.sizes) out << sizes_text(state);
  for (const std::string& failure : failures(state)) err << "portolan: " << failure << "\n";
  return exit_code(state);
}

}  // namespace portolan::daemon
