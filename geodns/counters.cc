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

const metrics::Family service_answers{"portolan_dns_service_answers_total",
                                      "Answers chosen by policy, by zone, policy and the datacentre that was answered.",
                                      metrics::Type::counter,
                                      {"zone", "policy", "datacenter"}};
const metrics::Family countries{"portolan_dns_countries_total",
                                "Answers chosen by policy, by the asker's country: one in 16 is looked at and stands "
                                "for all of them.",
                                metrics::Type::counter,
                                {"country"}};

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
      series_(type_slots * rcode_slots, nullptr),
      countries_(letters * letters + 1, nullptr) {}

void QueryCounters::set_view(std::shared_ptr<const View> view) {
  if (view_ && view->directory != view_->directory) services_.clear();
  view_ = std::move(view);
  if (view_->zones == zones_) return;
  zones_ = view_->zones;
  services_.clear();
  series_.assign(((zones_ ? zones_->size() : 0) + 1) * type_slots * rcode_slots, nullptr);
}

void QueryCounters::count(const AnswerInfo& info) {
  const size_t type = slot_of(types, info.type), rcode = slot_of(rcodes, info.rcode);
  const size_t zone = static_cast<size_t>(info.zone) + 1;  // 0 for none, which is -1
  metrics::Counter*& series = series_[(zone * type_slots + type) * rcode_slots + rcode];
  if (!series) {
    const std::string name = zone == 0 ? "-" : zones_->at(info.zone).text();
    series = &shard_.counter(queries, {name, type < std::size(types) ? dns::type_name(info.type) : "OTHER",
                                       rcode < std::size(rcodes) ? dns::rcode_name(info.rcode) : "OTHER"});
  }
  series->add();
}

metrics::Counter& QueryCounters::service_series(const AnswerInfo& info) {
  const std::string datacenter =
      info.datacenter >= 0 ? view_->directory->datacenters[static_cast<size_t>(info.datacenter)].name : "-";
  return shard_.counter(service_answers, {zones_->at(info.zone).text(), std::string(info.policy), datacenter});
}

void QueryCounters::count_service(const AnswerInfo& info, const IpAddress& asker) {
  const auto policy = static_cast<uint64_t>(info.policy.size() << 8 | static_cast<uint8_t>(info.policy.front()));
  const uint64_t key = static_cast<uint64_t>(info.zone) << 32 | policy << 16 | static_cast<uint16_t>(info.datacenter);
  metrics::Counter*& series = services_[key];
  if (!series) series = &service_series(info);
  series->add();
  if (until_sample_-- > 0) return;
  until_sample_ = country_sample - 1;
  count_country(asker);
}

void QueryCounters::count_country(const IpAddress& asker) {
  if (!view_->geo) return;
  const std::string_view code = view_->geo->location(view_->geo->find(asker).place).country_code();
  constexpr auto slot_of_letter = [](char c) { return static_cast<size_t>(c >= 'A' ? c - 'A' : c - '0' + 26); };
  const size_t slot = code.empty() ? letters * letters : slot_of_letter(code[0]) * letters + slot_of_letter(code[1]);
  metrics::Counter*& series = countries_[slot];
  if (!series) series = &shard_.counter(countries, {code.empty() ? "-" : std::string(code)});
  series->add(country_sample);
}

}  // namespace portolan::geodns
