#include "geodns/counters.hh"

#include <iterator>

namespace portolan::geodns {
namespace {

const metrics::Family queries{"portolan_dns_queries_total",
                              "DNS queries answered, by zone, type asked and rcode.",
                              metrics::Type::counter,
                              {"zone", "type", "rcode"}};
const metrics::Family dropped{"portolan_dns_dropped_total",
                              "DNS packets that got no answer: too short, or answers themselves.",
                              metrics::Type::counter,
                              {}};
const metrics::Family limited{"portolan_dns_limited_total",
                              "DNS answers over geodns.rate_limit: dropped, or cut to TC or BADCOOKIE.",
                              metrics::Type::counter,
                              {"action"}};

constexpr uint16_t types[] = {dns::type_a,    dns::type_aaaa, dns::type_cname, dns::type_mx,  dns::type_ns,
                              dns::type_soa,  dns::type_txt,  dns::type_any,   dns::type_srv, dns::type_https,
                              dns::type_svcb, dns::type_ptr,  dns::type_caa,   dns::type_ds};
constexpr uint16_t rcodes[] = {dns::noerror,  dns::formerr, dns::servfail, dns::badcookie,
                               dns::nxdomain, dns::notimp,  dns::refused,  dns::badvers};
constexpr size_t type_slots = std::size(types) + 1, rcode_slots = std::size(rcodes) + 1;

// The last slot is for everything else.
template <size_t n>
size_t slot_of(const uint16_t (&list)[n], uint16_t value) {
  size_t i = 0;
  while (i < n && list[i] != value) i++;
  return i;
}

}  // namespace

QueryCounters::QueryCounters(metrics::Shard& shard)
    : shard_(shard),
      dropped_(shard.counter(dropped)),
      limited_dropped_(shard.counter(limited, {"dropped"})),
      limited_truncated_(shard.counter(limited, {"truncated"})),
      series_(type_slots * rcode_slots, nullptr) {}

void QueryCounters::set_zones(std::shared_ptr<const ZoneSet> zones) {
  if (zones == zones_) return;
  zones_ = std::move(zones);
  series_.assign(((zones_ ? zones_->size() : 0) + 1) * type_slots * rcode_slots, nullptr);
}

void QueryCounters::count(const AnswerInfo& info) {
  const size_t type = slot_of(types, info.type), rcode = slot_of(rcodes, info.rcode);
  const auto zone = static_cast<size_t>(info.zone + 1);
  metrics::Counter*& series = series_[(zone * type_slots + type) * rcode_slots + rcode];
  if (!series) {
    const std::string name = zone == 0 ? "-" : zones_->at(info.zone).text();
    series = &shard_.counter(queries, {name, type < std::size(types) ? dns::type_name(info.type) : "OTHER",
                                       rcode < std::size(rcodes) ? dns::rcode_name(info.rcode) : "OTHER"});
  }
  series->add();
}

}  // namespace portolan::geodns
