#include "daemon/dns_keeper.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

constexpr int64_t gather_ms = 2000;
constexpr int64_t tick_ms = geodns::Spill::interval_s * 1000;
constexpr int64_t pass_ms = 1000;
constexpr int64_t patience_ms = 3000;  // with the first checks

bool is_checked(const health::Board& board) {
  for (const auto& [name, sites] : board.services)
    for (const health::Site& site : sites)
      if (site.health.state == health::State::unknown && site.health.reason.ends_with(" yet")) return false;
  return true;
}

}  // namespace

DnsKeeper::DnsKeeper(loop::Worker& control, Hooks hooks)
    : control_(control),
      hooks_(std::move(hooks)),
      gather_(control, this, &loop::Calls<&DnsKeeper::on_gather>::call),
      tick_(control, this, &loop::Calls<&DnsKeeper::on_tick>::call),
      pass_(control, this, &loop::Calls<&DnsKeeper::on_pass>::call),
      patience_(control, this, &loop::Calls<&DnsKeeper::on_patience_over>::call),
      alive_(std::make_shared<DnsKeeper*>(this)) {
  gather_.set(gather_ms);
  tick_.set(tick_ms);
  pass_.set(pass_ms);
  tick_at_us_ = control.now_us() + tick_ms * 1000;
  patience_.set(patience_ms);
}

DnsKeeper::~DnsKeeper() {
  *alive_ = nullptr;
}

void DnsKeeper::set_view(const std::shared_ptr<const geodns::View>& view) {
  directory_ = view->directory;
  spill_.set_view(*view);
}

void DnsKeeper::note(const health::Board& board) {
  if (checked_ || !is_checked(board)) return;
  checked_ = true;
  patience_.set(0);  // not amid a board
}

void DnsKeeper::on_patience_over() {
  checked_ = true;
  hooks_.checked();
}

// Until the next pass workers answer by it: it must hold for that much more.
void DnsKeeper::apply(geodns::ServiceStates& states) {
  const int64_t left_ms = (tick_at_us_ - control_.now_us()) / 1000 - pass_ms;
  spill_.apply(states, static_cast<uint32_t>(std::max<int64_t>(left_ms, 0) / 1000));
}

void DnsKeeper::tell_rooms(const geodns::ServiceStates& states) {
  if (!directory_) return;
  std::set<std::pair<std::string, std::string>> now;
  for (size_t s = 0; s < directory_->services.size(); s++)
    for (const geodns::Site& site : directory_->services[s].sites) {
      const uint16_t room = states.at(s, site.datacenter).room;
      if (room == geodns::Condition::full_room) continue;
      const auto& where =
          *now.emplace(directory_->services[s].name, directory_->datacenters[site.datacenter].name).first;
      if (spilling_.contains(where)) continue;
      log::info("a datacenter begins to spill",
                {{"service", where.first},
                 {"datacenter", where.second},
                 {"takes", fmt::format("{:.0f}%", 100.0 * room / geodns::Condition::full_room)},
                 {"queries_in_five_minutes", static_cast<uint64_t>(spill_.queries())}});
    }
  for (const auto& where : spilling_)
    if (!now.contains(where))
      log::info("a datacenter takes all again", {{"service", where.first}, {"datacenter", where.second}});
  spilling_ = std::move(now);
}

void DnsKeeper::on_gather() {
  gather_.set(gather_ms);
  if (!spill_.wanted()) return;
  hooks_.on_workers([&control = control_, alive = alive_](geodns::Server& dns) {
    auto counts = std::make_shared<geodns::DemandCounts>(dns.take_demand());
    control.post([alive, counts] {
      if (*alive) (*alive)->spill_.add(*counts);
    });
  });
}

void DnsKeeper::on_tick() {
  tick_.set(tick_ms);
  tick_at_us_ = control_.now_us() + tick_ms * 1000;
  pass_.set(pass_ms);
  const bool limited = spill_.wanted();  // who no longer is has all of his room again
  spill_.tick(utilizations());
  if (limited || spill_.wanted() || !spilling_.empty()) hooks_.rooms_changed();
}

void DnsKeeper::on_pass() {
  pass_.set(pass_ms);
  if (spill_.wanted()) hooks_.rooms_changed();
}

// Empty where nobody tells.
std::vector<std::vector<double>> DnsKeeper::utilizations() const {
  std::vector<std::vector<double>> list;
  bool any = false;
  if (!directory_) return list;
  for (const geodns::Service& service : directory_->services) {
    auto& row = list.emplace_back(directory_->datacenters.size(), -1.0);
    for (const geodns::Site& site : service.sites) {
      const auto used = hooks_.utilization(service.name, directory_->datacenters[site.datacenter].name);
      row[site.datacenter] = used.value_or(-1);
      any |= used.has_value();
    }
  }
  return any ? list : std::vector<std::vector<double>>();
}

}  // namespace portolan::daemon
