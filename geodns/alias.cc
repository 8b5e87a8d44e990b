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

}  // namespace

// Both families are asked for, one after the other is back they are looked at together.
struct AliasKeeper::Followed {
  Followed(AliasKeeper& owner, std::string followed_name)
      : keeper(owner), name(std::move(followed_name)), timer(owner.worker_, this, &loop::Calls<&Followed::ask>::call) {
    ask();
  }

  void ask() {
    next = AliasAddresses{};
    failed[0] = failed[1] = false;
    ttl_ms = most_wait_ms;
    waiting = 2;
    for (Family family : {Family::v4, Family::v6})
      tickets[family == Family::v6] = keeper.resolver_.resolve(
          name, [this, family](const Result<loop::Resolution>& result) { take(family, result); }, family);
  }

  void take(Family family, const Result<loop::Resolution>& result) {
    if (result) {
      ttl_ms = std::min(ttl_ms, result->ttl_ms / 2);
      (family == Family::v6 ? next.v6 : next.v4) = in_wire_form(result->addresses);
    } else if (result.error().code != ENOENT) {
      failed[family == Family::v6] = true;
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
    if (trouble && !complained)
      log::warning("an ALIAS target can't be resolved; what is known of it stays", {{"name", name}});
    complained = trouble;
    if (empty || (failed[0] && failed[1]) || next == now) return;
    now = std::move(next);
    keeper.on_change_();
  }

  AliasKeeper& keeper;
  std::string name;
  AliasAddresses now, next;
  std::unique_ptr<loop::Resolver::Ticket> tickets[2];
  loop::Timer timer;
  int64_t ttl_ms = 0;
  int waiting = 0;
  bool failed[2] = {false, false};  // IPv4, IPv6
  bool complained = false;
};

AliasKeeper::AliasKeeper(loop::Worker& worker, loop::Resolver& resolver, std::function<void()> on_change)
    : worker_(worker), resolver_(resolver), on_change_(std::move(on_change)) {}

AliasKeeper::~AliasKeeper() = default;

void AliasKeeper::follow(const std::vector<std::string>& names) {
  names_ = names;
  std::erase_if(followed_,
                [&](const auto& entry) { return std::find(names.begin(), names.end(), entry.first) == names.end(); });
  for (const std::string& name : names) {
    auto& followed = followed_[name];
    if (!followed) followed = std::make_unique<Followed>(*this, name);
  }
}

std::shared_ptr<const AliasTable> AliasKeeper::table() const {
  auto table = std::make_shared<AliasTable>();
  for (const std::string& name : names_) {
    auto found = followed_.find(name);
    table->addresses.push_back(found == followed_.end() ? AliasAddresses{} : found->second->now);
  }
  return table;
}

}  // namespace portolan::geodns
