#include "proxy/admit/refusals.hh"

#include "core/base/log.hh"

namespace portolan::proxy {
namespace {

const metrics::Family refused_total{"portolan_requests_refused_total",
                                    "Requests turned away before any server was asked.",
                                    metrics::Type::counter,
                                    {"listener", "route", "reason"}};

constexpr size_t reasons = 9;

// A browser's first request has no password: nothing that anybody has to know.
log::Level level_of(Refusal refusal) {
  return refusal == Refusal::no_password || refusal == Refusal::maintenance ? log::Level::debug : log::Level::warning;
}

}  // namespace

const char* to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::denied:
      return "denied";
    case Refusal::maintenance:
      return "maintenance";
    case Refusal::rate_limited:
      return "rate limited";
    case Refusal::no_password:
      return "no password";
    case Refusal::bad_password:
      return "bad password";
    case Refusal::busy:
      return "too many passwords to check";
    case Refusal::client_certificate:
      return "no client certificate";
    case Refusal::bad_signature:
      return "no good signature";
    case Refusal::expired_signature:
      return "signature expired";
  }
  return "";
}

size_t RefusalMeter::Hash::operator()(const Key& k) const {
  constexpr uint64_t odd = 0x9e3779b97f4a7c15;
  uint64_t h = (k.listener ^ k.snapshot << 20 ^ uint64_t{k.route} << 40) * odd;
  return (h ^ h >> 29 ^ static_cast<uint64_t>(k.refusal)) * odd >> 16;
}

void RefusalMeter::count(Refusal refusal, const Place& place, const IpAddress& client, int64_t now_ms) {
  auto number = static_cast<size_t>(refusal);
  auto& series = series_[{place.listener_id, place.snapshot, place.route_index, refusal}];
  if (!series) series = &shard_.counter(refused_total, {place.listener, place.route, to_string(refusal)});
  series->add();
  static log::Limit limits[reasons];
  if (limits[number].pass(now_ms))
    log::write(level_of(refusal), "request refused",
               {{"reason", to_string(refusal)},
                {"listener", place.listener},
                {"route", place.route},
                {"client", client.to_string()}});
}

}  // namespace portolan::proxy
