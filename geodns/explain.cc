#include "geodns/explain.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/dns/query.hh"
#include "core/geo/continent.hh"
#include "core/geo/embedded.hh"
#include "geodns/steering.hh"

namespace portolan::geodns {
namespace {

constexpr unsigned most_links = 16;
constexpr size_t most_shown = 24;  // candidates

std::string_view to_string(State state) {
  constexpr std::string_view names[] = {"unknown", "up", "down", "draining"};
  return names[static_cast<size_t>(state)];
}

template <class List>
std::string joined(const List& list) {
  return fmt::format("{}", fmt::join(list, ", "));
}

// Whom a rule is for.
std::string clients_of(const Rule& rule) {
  std::vector<std::string> parts;
  const auto add = [&](const char* what, const auto& list) {
    if (!list.empty()) parts.push_back(std::string(what) + " " + joined(list));
  };
  std::vector<std::string> networks;
  for (const IpNetwork& n : rule.networks) networks.push_back(n.to_string());
  add("networks", networks);
  add("asn", rule.asns);
  add("countries", rule.countries);
  add("regions", rule.regions);
  add("continents", rule.continents);
  std::string text = parts.empty() ? "anybody" : joined(parts);
  return rule.imprecise ? text + ", imprecise" : text;
}

std::string location_text(const geo::Location& at) {
  std::vector<std::string> parts;
  if (at.country[0])
    parts.push_back(std::string(at.country_code()) + (at.region[0] ? "-" + std::string(at.region_code()) : ""));
  if (const auto continent = geo::continent_of(at); !continent.empty()) parts.emplace_back(continent);
  if (at.asn) parts.push_back(fmt::format("AS{}", at.asn));
  if (at.has_coordinates) {
    parts.push_back(fmt::format("{:.3f}, {:.3f}", at.latitude, at.longitude));
    if (at.accuracy_radius_km) parts.back() += fmt::format(" within {} km", at.accuracy_radius_km);
  }
  return parts.empty() ? "nothing is known" : joined(parts);
}

class Explanation {
 public:
  Explanation(const IpNetwork& from, uint16_t type, const View& view, Rng& rng)
      : from_(from), type_(type), v6_(type == dns::type_aaaa), view_(view), rng_(rng) {}

  // `refusal`: why the question isn't looked at; empty: it is.
  std::string run(const std::string& name, std::string_view key, std::string_view refusal) {
    line("question", fmt::format("{} {} from {}", name, type_text(), from_text()));
    if (refusal.empty())
      solve(key);
    else
      line("answer", refusal);
    return std::move(text_);
  }

 private:
  void line(std::string_view stage, std::string_view what) { text_ += fmt::format("{:<11} {}\n", stage, what); }
  std::string type_text() const {
    const char* name = dns::type_name(type_);
    return name ? name : fmt::format("TYPE{}", type_);
  }
  bool asks_address() const { return type_ == dns::type_a || type_ == dns::type_aaaa; }
  static std::string readable(std::string_view wire) {
    size_t offset = 0;
    dns::Name name;
    name.read({reinterpret_cast<const uint8_t*>(wire.data()), wire.size()}, offset, false);
    return name.to_string();
  }
  std::string from_text() const {
    return from_.length == from_.address.bits() ? from_.address.to_string() : from_.to_string();
  }

  void solve(std::string_view key) {
    int index = ZoneSet::none;
    if (view_.zones)
      index = type_ == dns::type_ds ? view_.zones->find_parent(key, dns::label_count(key)) : view_.zones->find(key);
    if (index == ZoneSet::none) return line("zone", "none is this server's: REFUSED");
    const Zone& zone = view_.zones->at(index);
    line("zone", zone.text());
    for (unsigned links = 0; links <= most_links; links++) {
      const Node* node = zone.find(key);
      if (!node) return line("answer", "the name does not exist: NXDOMAIN, scope /0");
      if (node->delegation && (type_ != dns::type_ds || node->delegation->owner != key))
        return line("answer", "a referral: other servers answer for " + readable(node->delegation->owner) +
                                  " and what is below it, scope /0");
      const RecordSet* cname = node->find(dns::type_cname);
      if (!cname || type_ == dns::type_cname) return solve_node(*node);
      key = cname->data.front();
      line("alias", "of " + readable(key));
      if (view_.zones->find(key) != index)
        return line("answer", "the alias leads out of the zone and ends there, scope /0");
    }
  }

  void solve_node(const Node& node) {
    if (node.service) {
      const ServiceRecord& record = *node.service;
      const bool by_name = view_.directory->services[record.service].by_name;
      if (asks_address() || by_name || (record.https && type_ == dns::type_https))
        return solve_service(record, by_name);
    }
    if (node.alias && asks_address()) return solve_alias(*node.alias);
    const RecordSet* set = node.find(type_);
    line("answer", set ? fmt::format("{} record{}, the same for everybody, TTL {} s, scope /0", set->data.size(),
                                     set->data.size() == 1 ? "" : "s", set->ttl_s)
                       : "no records of this type: NODATA, scope /0");
  }

  void solve_alias(const AliasRecord& alias) {
    line("alias", "ALIAS of " + view_.zones->aliases()[alias.index].name);
    const AliasAddresses* found = view_.aliases ? view_.aliases->find(alias.index) : nullptr;
    if (!found || !found->known[v6_]) return line("answer", "its addresses are not known yet: SERVFAIL");
    const Addresses& list = v6_ ? found->v6 : found->v4;
    if (list.empty()) return line("answer", "it has no addresses of this family: NODATA, scope /0");
    line("answer", fmt::format("{}, the same for everybody, TTL {} s, scope /0", joined(readable(list)),
                               std::min(alias.ttl_s, found->ttl_s)));
  }

  void solve_service(const ServiceRecord& record, bool by_name) {
    const Service& service = view_.directory->services[record.service];
    line("service", fmt::format("{}, policy {}", service.name, record.policy->name));
    client();
    if (by_name) {
      v6_ = false;  // there is one plan, for names
      solve_family(record, service);
      return;
    }
    if (type_ != dns::type_https) {
      solve_family(record, service);
      return;
    }
    solve_https(record, service);
  }

  void solve_https(const ServiceRecord& record, const Service& service) {
    const bool alike = record.plan[0] == record.plan[1];
    line("hints", alike ? "of both families, of one pick" : "of IPv4, as A is answered");
    unsigned scope = 0;
    uint32_t ttl_s = record.ttl_s;
    for (const bool v6 : {false, true}) {
      if (v6 && alike) continue;
      v6_ = v6;
      if (v6) line("hints", "of IPv6, as AAAA is answered");
      const Steered steered = solve_family(record, service);
      if (!steered.plan) continue;
      scope = std::max(scope, steered.scope);
      ttl_s = std::min(ttl_s, steered.ttl_s);
    }
    if (!alike) line("answer", fmt::format("both in one record, TTL {} s, scope /{}", ttl_s, scope));
  }

  // Of no plan where the service has none for the family.
  Steered solve_family(const ServiceRecord& record, const Service& service) {
    Steered steered;
    if (record.plan[v6_] == ServiceRecord::no_plan) {
      line("answer",
           "the service has no addresses of this family" + std::string(asks_address() ? ": NODATA, scope /0" : ""));
      return steered;
    }
    const Plan& plan = *(*view_.plans)[static_cast<size_t>(record.plan[v6_])];
    const geo::Location at = location(plan);
    match(plan, at);
    steer(record, plan, view_, from_.address, plan.find(from_.address), rng_, steered);
    candidates(plan, record, steered, at);
    pick(service, record, steered);
    ttl(record, steered);
    scope(plan, steered);
    return steered;
  }

  void client() {
    const geo::Embedded inside = geo::find_embedded(from_.address);
    if (inside.offset > 0) line("client", inside.address.to_string() + ", inside the IPv6 address");
    if (!view_.shown(from_.address).is_v4() && !view_.shown(from_.address).is_v6())
      line("client", "in a private network: its address is told to nobody further");
  }

  geo::Location location(const Plan& plan) {
    if (!view_.geo) {
      line("location", "there is no database");
      return {};
    }
    const geo::Location at = view_.geo->location(view_.geo->find(from_.address).place);
    std::string text = location_text(at);
    if (plan.spec().looks_at_places() && plan.spec().accuracy_km && at.has_coordinates)
      text += fmt::format("; {} (accuracy {} km)", plan.match(at).precise ? "precise" : "imprecise",
                          plan.spec().accuracy_km);
    line("location", text);
    return at;
  }

  void match(const Plan& plan, const geo::Location& at) {
    const PlanSpec& spec = plan.spec();
    const Plan::Match match = plan.match(at);
    const int by_network = plan.rule_for(from_.address);
    const int rule = by_network != Plan::no_rule ? by_network : match.rule;
    if (rule != Plan::no_rule) {
      const Rule& r = spec.rules[static_cast<size_t>(rule)];
      std::vector<std::string> names;
      for (uint16_t c : r.datacenters) names.push_back(datacenter(spec.candidates[c].datacenter).name);
      return line("match", fmt::format("rule {} for {}: {} {}{}", r.number, clients_of(r),
                                       r.ordered ? "order" : "among", joined(names), r.only ? ", only" : ""));
    }
    if (match.by_fallback) return line("match", "no rule; the record's order, as the location is not known precisely");
    if (!spec.policy->policy->needs_location()) return line("match", "no rule; the policy, for everybody alike");
    line("match", at.has_coordinates ? "no rule; by distance" : "no rule; no coordinates, so the order of the file");
  }

  const Datacenter& datacenter(size_t index) const { return view_.directory->datacenters[index]; }

  void candidates(const Plan& plan, const ServiceRecord& record, const Steered& steered, const geo::Location& at) {
    const auto order = plan.order(steered.order);
    const Point here = Point::from_degrees(at.latitude, at.longitude);
    unsigned group = 0;
    for (size_t i = 0; i < order.size() && i < most_shown; i++) {
      if (i == 0 || order[i - 1].group_end == i) group++;
      const Candidate& c = plan.spec().candidates[order[i].candidate];
      const Condition condition = view_.states.of(record.service, c.datacenter);
      std::string distance =
          at.has_coordinates && c.has_location ? fmt::format("{:.0f} km", here.distance_km(c.location)) : "-";
      std::string text = fmt::format("{}. {:<14} {:>9}  {}", group, datacenter(c.datacenter).name, distance,
                                     to_string(condition.state));
      if (order[i].group_end - (i == 0 || order[i - 1].group_end == i ? i : 0) > 1 || order[i].weight != 1)
        text += fmt::format(", weight {}", order[i].weight);
      if (condition.room != Condition::full_room)
        text += fmt::format(", takes {:.1f}%", condition.room * 100.0 / Condition::full_room);
      if (condition.horizon_s != Condition::ever) text += fmt::format(", holds {} s", condition.horizon_s);
      line(i == 0 ? "candidates" : "", text);
    }
    if (order.size() > most_shown) line("", fmt::format("and {} more", order.size() - most_shown));
  }

  void pick(const Service& service, const ServiceRecord& record, const Steered& steered) {
    if (steered.picks.last_resort) {
      constexpr std::string_view words[] = {"all of them", "the first", "nothing: NODATA"};
      const bool unanswerable = record.last_resort == LastResort::none && steered.picks.count > 0;
      const bool chosen = service.by_name && (record.last_resort == LastResort::all || unanswerable);
      const auto resort = static_cast<size_t>(unanswerable ? LastResort::all : record.last_resort);
      line("pick",
           fmt::format("none is usable; the last resort is {}{}", chosen ? "the one there would be" : words[resort],
                       unanswerable ? ", as a rule says only: \"none\" would be everybody's answer" : ""));
    }
    for (unsigned i = 0; i < steered.picks.count; i++) {
      const Site& site = service.sites[steered.candidates()[steered.picks.list[i]].site];
      line(i == 0 && !steered.picks.last_resort ? "pick" : "",
           datacenter(site.datacenter).name + ": " +
               (service.by_name ? "CNAME " + readable(site.target) : joined(addresses_of(site, record))));
      if (service.by_name) return;  // a CNAME is one
    }
  }

  std::vector<std::string> addresses_of(const Site& site, const ServiceRecord& record) const {
    std::vector<std::string> list = readable(site.of(v6_));
    if (type_ == dns::type_https && record.plan[0] == record.plan[1])
      for (const std::string& v6 : readable(site.v6)) list.push_back(v6);
    return list;
  }

  static std::vector<std::string> readable(const Addresses& list) {
    std::vector<std::string> addresses;
    for (const std::string& wire : list) {
      IpAddress a;
      a.family = wire.size() == 16 ? IpAddress::Family::v6 : IpAddress::Family::v4;
      std::copy(wire.begin(), wire.end(), a.bytes.begin());
      addresses.push_back(a.to_string());
    }
    return addresses;
  }

  void ttl(const ServiceRecord& record, const Steered& steered) {
    if (steered.picks.count == 0) return;
    std::string why = fmt::format("the record's {} s", record.ttl_s);
    if (steered.picks.horizon_s != Condition::ever)
      why += fmt::format(", nothing changes for {} s", steered.picks.horizon_s);
    if (view_.ttl.most_s < std::min(record.ttl_s, std::max(steered.picks.horizon_s, view_.ttl.least_s)))
      why += fmt::format(", at most {} s", view_.ttl.most_s);
    if (view_.ttl.least_s) why += fmt::format(", at least {} s", view_.ttl.least_s);
    line("ttl", fmt::format("{} s: {}", steered.ttl_s, why));
  }

  void scope(const Plan& plan, const Steered& steered) {
    std::string why = steered.scope == 0 ? "the same for everybody" : from_.address.masked(steered.scope).to_string();
    if (plan.policy().sticks() && steered.scope) why += ", whose clients stay together";
    line("scope", steered.scope == 0 ? "/0: " + why : fmt::format("/{}: {}", steered.scope, why));
  }

  const IpNetwork from_;
  const uint16_t type_;
  bool v6_;  // the family that is told of
  const View& view_;
  Rng& rng_;
  std::string text_;
};

}  // namespace

namespace {

// Host bits are of no matter here.
Result<IpNetwork> client_network(const std::string& text) {
  const size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (slash == std::string::npos || !address) return IpNetwork::parse(text);
  unsigned length = 0;
  const char *begin = text.data() + slash + 1, *end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, length);
  if (error != std::errc() || rest != end || length > address->bits()) return IpNetwork::parse(text);
  return IpNetwork{address->masked(length), length};
}

// What is answered before any zone is looked at; empty: nothing.
std::string_view out_of_question(uint16_t type) {
  switch (dns::judge_type(type)) {
    case dns::Verdict::refused:
      return "zones are not transferred: REFUSED";
    case dns::Verdict::notimp:
      return "this type asks for something done, not for data: NOTIMP";
    case dns::Verdict::formerr:
      return "nobody may ask for this type: FORMERR";
    default:
      return {};
  }
}

}  // namespace

Result<std::string> explain_dns(const ExplainDnsRequest& request, const View& view, Rng& rng) {
  if (request.name.empty()) return Error{"which name? \".\" is the root", 400};
  auto name = dns::Name::parse(request.name);
  if (!name) return Error{name.error().text, 400};
  const uint16_t type = dns::type_number(request.type);
  if (type == 0) return Error{"\"" + request.type + "\" is no type of records", 400};
  if (type == dns::type_any)
    return Error{"ANY is answered with a HINFO that says so (RFC 8482); ask for one type", 400};
  auto from = client_network(request.from);
  if (!from) return Error{from.error().text, 400};
  return Explanation(*from, type, view, rng).run(name->to_string(), name->lowered().wire(), out_of_question(type));
}

}  // namespace portolan::geodns
