#include "geodns/answer.hh"

#include "core/dns/compose.hh"
#include "geodns/chaos.hh"
#include "geodns/rdata.hh"
#include "geodns/referral.hh"

namespace portolan::geodns {
namespace {

using dns::Section;
constexpr unsigned max_links = 16;
// RFC 8482 §4.2: ANY gets a HINFO that says so.
constexpr std::string_view any_hinfo("\x07RFC8482\x00", 9);
constexpr uint32_t any_ttl_s = 3600;

bool asks_address(const dns::Query& query) {
  return query.type == dns::type_a || query.type == dns::type_aaaa;
}

// RFC 7871 §7.1.2: the subnet the resolver names, else who asks; source /0 means "don't use my subnet".
bool by_subnet(const dns::Query& query) {
  return query.has_subnet && query.subnet.source > 0;
}

// One query on its way to its answer within one zone.
class Exchange {
 public:
  // `memo`: of the view, or null.
  Exchange(const Asked& asked, const IpAddress& client, const View& view, const Zone& zone, Rng& rng, PlaceMemo* memo,
           dns::Composer& composer, AnswerInfo& info)
      : asked_(asked),
        query_(asked.query),
        client_(client),
        view_(view),
        zone_(zone),
        rng_(rng),
        memo_(memo),
        composer_(composer),
        info_(info),
        zone_size_(zone.name().wire().size()) {}

  // Follows CNAMEs as far as they stay in the zone; RFC 2308 §2: the rcode is that of the last
  // name.
  void run(const Node* node) {
    std::string_view owner = query_.key.wire();
    for (unsigned links = 0; links <= max_links; links++) {
      if (!node) {
        info_.rcode = dns::nxdomain;
        return negative();
      }
      if (node->delegation && (query_.type != dns::type_ds || node->delegation->owner != owner)) {
        info_.authoritative = links > 0;
        return refer(*node->delegation, composer_);
      }
      const RecordSet* cname = node->find(dns::type_cname);
      if (!cname || query_.type == dns::type_cname) return solve_node(*node, owner);
      follow(*cname);
      owner = cname->data.front();
      const unsigned labels = dns::label_count(owner);
      if (query_.type == dns::type_any || view_.zones->find(owner, labels) != info_.zone) return;
      node = zone_.find(owner, labels);
    }
  }

 private:
  // Answers the CNAME; its target is the owner of what comes next.
  void follow(const RecordSet& cname) {
    const size_t target = composer_.next_rdata();
    if (composer_.add_set(Section::answer, owner_, cname.packed, zone_size_)) owner_ = composer_.name_at(target);
  }

  void solve_node(const Node& node, std::string_view owner) {
    if (node.empty()) return negative();
    if (query_.type == dns::type_any) {
      composer_.add(Section::answer, owner, dns::type_hinfo, any_ttl_s, any_hinfo);
      return;
    }
    if (node.service && is_of_service(*node.service)) return solve_service(*node.service, owner);
    if (node.alias && asks_address(query_)) return solve_alias(*node.alias);
    const RecordSet* set = node.find(query_.type);
    if (!set) return negative();
    if (target_offset(set->type) != std::string_view::npos) return add_with_addresses(*set, owner, zone_, composer_);
    composer_.add_set(Section::answer, owner_, set->packed, zone_size_);
  }

  bool is_of_service(const ServiceRecord& record) const {
    return asks_address(query_) || (record.https && query_.type == dns::type_https) ||
           view_.directory->services[record.service].by_name;
  }

  void solve_service(const ServiceRecord& record, std::string_view owner) {
    const Service& service = view_.directory->services.data()[record.service];
    if (service.by_name || query_.type == dns::type_https) return solve_otherwise(record, service, owner);
    solve_addresses(record, service, query_.type == dns::type_aaaa);
  }

  [[gnu::noinline]] void solve_otherwise(const ServiceRecord& record, const Service& service, std::string_view owner) {
    if (service.by_name) return solve_by_name(record, service, owner);
    solve_https(record, service, owner);
  }

  // Inlined into what answers addresses, the way of most queries.
  [[gnu::always_inline]] Choice pick(const ServiceRecord& record, bool v6) {
    const Choice choice =
        record.policy->policy->needs_location() ? choose_by_place(record, v6) : choose(record, v6, nullptr);
    info_.policy = record.policy->name;
    if (choice.by_location) composer_.set_scope(scope_);
    return choice;
  }

  void solve_addresses(const ServiceRecord& record, const Service& service, bool v6) {
    if (record.candidates[v6].empty()) return negative();
    const Choice choice = pick(record, v6);
    if (choice.candidate == Choice::all) {
      info_.datacenter = AnswerInfo::every_datacenter;
      return add_addresses(service.all(v6), record.ttl_s);
    }
    const Site& site = service.sites.data()[record.candidates[v6].data()[choice.candidate].site];
    info_.datacenter = site.datacenter;
    add_addresses(site.of(v6), record.ttl_s);
  }

  // The name is the datacentre's; where all are down the first's, for a CNAME is one. Not followed: who follows it here
  // could not say for whom the scope holds (RFC 7871 §7.2.1).
  void solve_by_name(const ServiceRecord& record, const Service& service, std::string_view owner) {
    const Choice choice = pick(record, false);
    const auto& candidates = record.candidates[0];
    const Site& site = service.sites[candidates[choice.candidate == Choice::all ? 0 : choice.candidate].site];
    info_.datacenter = choice.candidate == Choice::all ? AnswerInfo::every_datacenter : site.datacenter;
    composer_.add(Section::answer, owner, dns::type_cname, record.ttl_s, site.target);
  }

  // The hints are what A and AAAA would answer; of a random pick, what they would answer for one and the same.
  void solve_https(const ServiceRecord& record, const Service& service, std::string_view owner) {
    const Addresses* hints[2] = {nullptr, nullptr};
    const Site* first = nullptr;
    for (bool v6 : {false, true}) {
      if (record.candidates[v6].empty()) continue;
      if (first && record.policy->policy->is_random() && !first->of(v6).empty()) {
        hints[v6] = &first->of(v6);
        continue;
      }
      const Choice choice = pick(record, v6);
      const Site* site = nullptr;
      if (choice.candidate != Choice::all) site = &service.sites[record.candidates[v6][choice.candidate].site];
      if (!first) info_.datacenter = site ? site->datacenter : AnswerInfo::every_datacenter;
      if (!first) first = site;
      hints[v6] = site ? &site->of(v6) : &service.all(v6);
    }
    uint8_t rdata[max_hinted_size];
    const size_t size = put_hinted(*record.https, hints[0], hints[1], rdata);
    composer_.add(Section::answer, owner, dns::type_https, record.ttl_s, {reinterpret_cast<char*>(rdata), size});
  }

  [[gnu::noinline]] void solve_alias(const AliasRecord& alias) {
    const AliasAddresses* found = view_.aliases ? view_.aliases->find(alias.index) : nullptr;
    if (!found || !found->known) {
      info_.rcode = dns::servfail;
      info_.authoritative = false;
      return composer_.set_error(dns::ExtendedError::no_reachable_authority);
    }
    const Addresses& list = query_.type == dns::type_aaaa ? found->v6 : found->v4;
    if (list.empty()) return negative();
    add_addresses(list, std::min(alias.ttl_s, found->ttl_s));
  }

  Choice choose(const ServiceRecord& record, bool v6, const Point* asker) {
    return record.policy->policy->choose(record.candidates[v6], {view_.states.of(record.service)}, asker, rng_);
  }

  Choice choose_by_place(const ServiceRecord& record, bool v6) {
    if (!view_.geo) return choose(record, v6, nullptr);
    const uint32_t place = locate();
    if (memo_)
      if (const auto known = memo_->find(record, v6, place)) return *known;
    const geo::Location location = view_.geo->location(place);
    const Point point = Point::from_degrees(location.latitude, location.longitude);
    const Choice choice = choose(record, v6, location.has_coordinates ? &point : nullptr);
    if (memo_) memo_->keep(record, v6, place, choice);
    return choice;
  }

  // RFC 7871 §7.2.1: the scope is the prefix the location came from, also where that location is "nothing known".
  uint32_t locate() {
    const geo::Found found =
        asked_.by_place ? asked_.found : view_.geo->find(by_subnet(query_) ? query_.subnet.address : client_);
    if (by_subnet(query_)) scope_ = static_cast<uint8_t>(found.prefix_length);
    return found.place;
  }

  // From a random one on, so that clients taking the first are spread.
  void add_addresses(const Addresses& list, uint32_t ttl_s) {
    size_t next = list.size() > 1 ? rng_.below(list.size()) : 0;
    for (size_t i = 0; i < list.size(); i++) {
      composer_.add_at(Section::answer, owner_, query_.type, ttl_s, list.data()[next]);
      if (++next == list.size()) next = 0;
    }
  }

  // RFC 2308 §3: the SOA, with the TTL that says how long "no" may be kept.
  void negative() {
    const size_t zone = dns::header_size + query_.key.wire().size() - zone_size_;
    composer_.add_set(Section::authority, zone, zone_.negative(), zone_size_);
  }

  const Asked& asked_;
  const dns::Query& query_;
  const IpAddress& client_;
  const View& view_;
  const Zone& zone_;
  Rng& rng_;
  PlaceMemo* memo_;
  dns::Composer& composer_;
  AnswerInfo& info_;
  const size_t zone_size_;           // of its name
  size_t owner_ = dns::header_size;  // where the name that is answered stands
  uint8_t scope_ = 0;
};

// What is not of any zone.
[[gnu::noinline]] size_t answer_other(const Asked& asked, std::span<const uint8_t> packet, const View& view,
                                      std::span<uint8_t> out, AnswerInfo& info, const dns::OptReply* reply) {
  if (asked.verdict != dns::Verdict::chaos) {
    info.rcode = dns::rcode_of(asked.verdict);
    return dns::compose_error(out, packet, asked.query, asked.verdict, reply);
  }
  dns::Composer composer(out, packet, asked.query, dns::answer_limit(asked.query, false), reply);
  info.rcode = answer_chaos(asked.query, view.identity.get(), composer);
  return composer.finish(info.rcode, false);
}

}  // namespace

void Answerer::read(std::span<const uint8_t> packet, const IpAddress& client, const View& view, Asked& asked) {
  dns::Query& query = asked.query;
  asked.verdict = dns::parse_query(packet, query);
  asked.zone = ZoneSet::none;
  asked.node = nullptr;
  asked.by_place = false;
  if (asked.verdict != dns::Verdict::answer || !view.zones) return;
  asked.zone = query.type == dns::type_ds ? view.zones->find_parent(query.key.wire(), query.key_labels)
                                          : view.zones->find(query.key.wire(), query.key_labels);
  if (asked.zone == ZoneSet::none) return;
  asked.node = view.zones->at(asked.zone).find(query.key.wire(), query.key_labels);
  if (!asked.node || !asked.node->service) return;
  if (!view.geo || !asked.node->service->policy->policy->needs_location()) return;
  asked.by_place = true;
  asked.asker = by_subnet(query) ? query.subnet.address : client;
  view.geo->prefetch(asked.asker);
}

// Nothing but the searches: so close together, the processor waits for the memory of several at once.
void Answerer::locate(std::span<Asked> batch, const View& view) {
  for (Asked& asked : batch)
    if (asked.by_place) asked.found = view.geo->find(asked.asker);
}

size_t Answerer::answer(std::span<const uint8_t> packet, const IpAddress& client, Transport transport, const View& view,
                        std::span<uint8_t> out, AnswerInfo& info) {
  Asked asked;
  read(packet, client, view, asked);
  locate({&asked, 1}, view);
  return answer(asked, packet, client, transport, view, out, info);
}

size_t Answerer::answer(const Asked& asked, std::span<const uint8_t> packet, const IpAddress& client,
                        Transport transport, const View& view, std::span<uint8_t> out, AnswerInfo& info,
                        const dns::OptReply* reply) {
  info = AnswerInfo{};
  const dns::Query& query = asked.query;
  if (asked.verdict == dns::Verdict::drop) return 0;
  if (query.has_question) info.type = query.type;
  if (asked.verdict != dns::Verdict::answer) return answer_other(asked, packet, view, out, info, reply);
  dns::Composer composer(out, packet, query, dns::answer_limit(query, transport == Transport::tcp), reply);
  info.zone = asked.zone;
  if (info.zone == ZoneSet::none) {
    info.rcode = dns::refused;
    composer.set_error(dns::ExtendedError::not_authoritative);
    return composer.finish(dns::refused, false);
  }
  info.authoritative = true;
  Exchange exchange(asked, client, view, view.zones->at(info.zone), rng_, memo_.is_of(view) ? &memo_ : nullptr,
                    composer, info);
  exchange.run(asked.node);
  info.truncated = composer.truncated();
  return composer.finish(info.rcode, info.authoritative);
}

}  // namespace portolan::geodns
