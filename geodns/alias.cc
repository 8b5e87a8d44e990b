#include "geodns/alias.hh"

#include <algorithm>
#include <cerrno>

#include "core/base/log.hh"

namespace portolan::geodns {
namespace {

using Family = IpAddress::Family;

Addresses in_wire_form(const std::vector<IpAddress>& list) {
  Addresses addresses;
  for (const IpAddress& ip : list) addresses.emplace_back(reinterpret_cast<const char*>(ip.bytes.data()), ip.size());
  return addresses;
}

void add_as_text(const Addresses& list, std::vector<std::string>& texts) {
  for (const std::string& wire : list) {
    IpAddress ip;
    ip.family = wire.size() == 4 ? Family::v4 : Family::v6;
    std::copy(wire.begin(), wire.end(), ip.bytes.begin());
    texts.push_back(ip.to_string());
  }
}

}  // namespace

// Both families are asked for, one after the other is back they are looked at together.
struct AliasKeeper::Followed {
  Followed(AliasKeeper& owner, AliasTarget followed)
      : keeper(owner), target(std::move(followed)), timer(owner.worker_, this, &loop::Calls<&Followed::ask>::call) {
    ask();
  }

  void ask() {
    next = AliasAddresses{};
    failed[0] = failed[1] = false;
    why.clear();
    ttl_ms = most_wait_ms;
    waiting = 2;
    for (Family family : {Family::v4, Family::v6})
      tickets[family == Family::v6] = keeper.resolver_.resolve(
          target.name, [this, family](const Result<loop::Resolution>& result) { take(family, result); }, family);
  }

  void take(Family family, const Result<loop::Resolution>& result) {
    if (result) {
      ttl_ms = std::min(ttl_ms, result->ttl_ms / 2);
      (family == Family::v6 ? next.v6 : next.v4) = in_wire_form(result->addresses);
    } else {
      failed[family == Family::v6] = result.error().code != ENOENT;
      // Of two reasons that of a failure; that one family has no addresses is none.
      if (why.empty() || failed[family == Family::v6]) why = result.error().text;
    }
    if (--waiting == 0) settle();
  }

  // A family that could not be asked for keeps what it had; both gone is a failure too.
  void settle() {
    const bool empty = next.v4.empty() && next.v6.empty();
    if (failed[0]) next.v4 = now.v4;
    if (failed[1]) next.v6 = now.v6;
    for (const bool v6 : {false, true}) next.known[v6] = !failed[v6] || now.known[v6];
    const bool trouble = failed[0] || failed[1] || empty;
    next.ttl_s = static_cast<uint32_t>(std::max<int64_t>(ttl_ms / 1000, 1));
    timer.set(trouble ? retry_ms : std::max(ttl_ms, least_wait_ms));
    note(trouble);
    if (empty || (failed[0] && failed[1]) || next == now) return;
    now = std::move(next);
    keeper.on_change_();
  }

  void note(bool trouble) {
    const int64_t at_ms = keeper.worker_.wall_ms();
    if (!trouble) good_ms = at_ms;
    if (trouble && failing_ms == 0)
      log::warning("an ALIAS target can't be resolved; what is known of it stays",
                   {{"name", target.name}, {"record", target.records}, {"zone", target.zones}, {"reason", why}});
    if (!trouble && failing_ms > 0)
      log::info("an ALIAS target can be resolved again",
                {{"name", target.name}, {"record", target.records}, {"zone", target.zones}});
    failing_ms = trouble ? (failing_ms > 0 ? failing_ms : at_ms) : 0;
    reason = trouble ? why : "";
  }

  AliasKeeper& keeper;
  AliasTarget target;
  AliasAddresses now, next;
  std::unique_ptr<loop::Resolver::Ticket> tickets[2];
  loop::Timer timer;
  int64_t ttl_ms = 0;
  int waiting = 0;
  bool failed[2] = {false, false};  // IPv4, IPv6
  std::string why;                  // of the answers under way
  std::string reason;
  int64_t good_ms = 0;
  int64_t failing_ms = 0;
};

AliasKeeper::AliasKeeper(loop::Worker& worker, loop::Resolver& resolver, std::function<void()> on_change)
    : worker_(worker), resolver_(resolver), on_change_(std::move(on_change)) {}

AliasKeeper::~AliasKeeper() = default;

void AliasKeeper::follow(const std::vector<AliasTarget>& targets) {
  targets_ = targets;
  std::erase_if(followed_, [&](const auto& entry) {
    return std::none_of(targets.begin(), targets.end(), [&](const auto& t) { return t.name == entry.first; });
  });
  for (const AliasTarget& target : targets) {
    auto& followed = followed_[target.name];
    if (!followed) followed = std::make_unique<Followed>(*this, target);
    followed->target = target;
  }
}

std::shared_ptr<const AliasTable> AliasKeeper::table() const {
  auto table = std::make_shared<AliasTable>();
  for (const AliasTarget& target : targets_) {
    auto found = followed_.find(target.name);
    table->addresses.push_back(found == followed_.end() ? AliasAddresses{} : found->second->now);
  }
  return table;
}

std::vector<AliasKeeper::Report> AliasKeeper::reports() const {
  std::vector<Report> list;
  for (const AliasTarget& target : targets_) {
    auto found = followed_.find(target.name);
    if (found == followed_.end()) continue;
    const Followed& f = *found->second;
    Report& report = list.emplace_back(Report{target, {}, f.good_ms, f.failing_ms, f.reason});
    add_as_text(f.now.v4, report.addresses);
    add_as_text(f.now.v6, report.addresses);
  }
  return list;
}

}  // namespace portolan::geodns
