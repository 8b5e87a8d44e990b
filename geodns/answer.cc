#include "geodns/answer.hh"

#include <algorithm>

#include "core/dns/compose.hh"
#include "geodns/chaos.hh"
#include "geodns/rdata.hh"
#include "geodns/referral.hh"
#include "geodns/steering.hh"

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

// One query on its way to its answer within one zone.
class Exchange {
 public:
  Exchange(const Asked& asked, const IpAddress& client, const View& view, const Zone& zone, Rng& rng,
           dns::Composer& composer, AnswerInfo& info)
      : asked_(asked),
        query_(asked.query),
        client_(client),
        view_(view),
        zone_(zone),
        rng_(rng),
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
    if (node.service && is_of_service(*node.service)) return solve_service(*node.service, owner);
    if (node.empty()) return negative();
    if (query_.type == dns::type_any) {
      composer_.add(Section::answer, owner, dns::type_hinfo, any_ttl_s, any_hinfo);
      return;
    }
    if (node.alias && asks_address(query_)) return solve_alias(*node.alias);
    const RecordSet* set = node.find(query_.type);
    if (!set) return negative();
    if (target_offset(set->type) != std::string_view::npos) return add_with_addresses(*set, owner, zone_, composer_);
    composer_.add_set(Section::answer, owner_, set->packed, zone_size_);
  }

  bool is_of_service(const ServiceRecord& record) const {
    return asks_address(query_) || (record.https && query_.type == dns::type_https) ||
           (view_.directory->services[record.service].by_name && query_.type != dns::type_any);
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

  // The record has a plan for the family.
  [[gnu::always_inline]] void go_to(const ServiceRecord& record, bool v6, Steered& steered) {
    const IpAddress& asker = asker_of(query_, client_);
    const Plan& plan = plan_of(record, v6, view_);
    steer(record, plan, view_, asker, asked_.plan == &plan ? asked_.found : plan.find(asker), rng_, steered);
    info_.policy = record.policy->name;
    info_.flow = record.flow[v6];
    info_.order = steered.order;
    info_.datacenter = steered.picks.last_resort || steered.picks.count != 1
                           ? AnswerInfo::several_datacenters
                           : steered.candidates().data()[steered.picks.list[0]].datacenter;
    if (by_subnet(query_)) composer_.set_scope(static_cast<uint8_t>(steered.scope));
  }

  const Site& site_of(const Service& service, const Steered& steered, unsigned pick) const {
    return service.sites.data()[steered.candidates().data()[steered.picks.list[pick]].site];
  }
  // Every site of the service, as all orders have all of them.
  static bool is_everybody(const Steered& steered) {
    return steered.picks.count > 1 && steered.picks.last_resort && steered.plan->orders_are_whole();
  }

  void solve_addresses(const ServiceRecord& record, const Service& service, bool v6) {
    if (record.plan[v6] == ServiceRecord::no_plan) return negative();
    Steered steered;
    go_to(record, v6, steered);
    if (steered.picks.count == 0) return negative(steered.ttl_s);
    if (is_everybody(steered)) return add_addresses(service.all(v6), steered.ttl_s);
    if (service.shares && steered.picks.count > 1) return add_shared(service, steered, v6);
    for (unsigned i = 0; i < steered.picks.count; i++)
      add_addresses(site_of(service, steered, i).of(v6), steered.ttl_s);
  }

  // Of sites that share some: each address once (RFC 2181 §5).
  [[gnu::noinline]] void add_shared(const Service& service, const Steered& steered, bool v6) {
    for (unsigned i = 0; i < steered.picks.count; i++)
      for (const std::string& address : site_of(service, steered, i).of(v6)) {
        bool said = false;
        for (unsigned before = 0; before < i && !said; before++) {
          const Addresses& list = site_of(service, steered, before).of(v6);
          said = std::find(list.begin(), list.end(), address) != list.end();
        }
        if (!said) composer_.add_at(Section::answer, owner_, query_.type, steered.ttl_s, address);
      }
  }

  // The name is the datacentre's; of several the first's, for a CNAME is one. Not followed: who follows it here could not
  // say for whom the scope holds (RFC 7871 §7.2.1).
  void solve_by_name(const ServiceRecord& record, const Service& service, std::string_view owner) {
    Steered steered;
    go_to(record, false, steered);
    if (steered.picks.count == 0) return negative(steered.ttl_s);
    composer_.add(Section::answer, owner, dns::type_cname, steered.ttl_s, site_of(service, steered, 0).target);
  }

  // The hints are what A and AAAA would answer. Where every datacentre has both families these go by one plan, and the
  // hints are of one pick; else each family goes its own way, as its questions would.
  void solve_https(const ServiceRecord& record, const Service& service, std::string_view owner) {
    Hints hints[2];
    uint32_t ttl_s = record.ttl_s;
    unsigned scope = 0;
    const bool alike = record.plan[0] == record.plan[1];
    for (const bool v6 : {false, true}) {
      if (record.https->foreign) break;
      if (record.plan[v6] == ServiceRecord::no_plan || (v6 && alike)) continue;
      Steered steered;
      go_to(record, v6, steered);
      scope = std::max(scope, steered.scope);
      ttl_s = std::min(ttl_s, steered.ttl_s);
      if (is_everybody(steered)) {  // of no order: everybody gets the same
        hints[v6].add(service.all(v6));
        if (alike) hints[1].add(service.all_v6);
        continue;
      }
      for (unsigned i = 0; i < steered.picks.count; i++) {
        const Site& site = site_of(service, steered, i);
        hints[v6].add(site.of(v6));
        if (alike) hints[1].add(site.v6);
      }
    }
    if (by_subnet(query_)) composer_.set_scope(static_cast<uint8_t>(scope));
    uint8_t rdata[max_hinted_size];
    const size_t size = put_hinted(*record.https, hints[0], hints[1], rdata);
    composer_.add(Section::answer, owner, dns::type_https, ttl_s, {reinterpret_cast<char*>(rdata), size});
  }

  [[gnu::noinline]] void solve_alias(const AliasRecord& alias) {
    const AliasAddresses* found = view_.aliases ? view_.aliases->find(alias.index) : nullptr;
    const bool v6 = query_.type == dns::type_aaaa;
    if (!found || !found->known[v6]) {
      info_.rcode = dns::servfail;
      info_.authoritative = false;
      return composer_.set_error(dns::ExtendedError::no_reachable_authority);
    }
    const Addresses& list = v6 ? found->v6 : found->v4;
    if (list.empty()) return negative();
    add_addresses(list, std::min(alias.ttl_s, found->ttl_s));
  }

  // From a random one on, so that clients taking the first are spread.
  [[gnu::always_inline]] void add_addresses(const Addresses& list, uint32_t ttl_s) {
    size_t next = list.size() > 1 ? rng_.below(list.size()) : 0;
    for (size_t i = 0; i < list.size(); i++) {
      composer_.add_at(Section::answer, owner_, query_.type, ttl_s, list.data()[next]);
      if (++next == list.size()) next = 0;
    }
  }

  // What may change sooner than a "no" of the zone is kept.
  void negative(uint32_t ttl_s) {
    if (ttl_s >= zone_.negative_ttl_s()) return negative();
    composer_.add(Section::authority, zone_.name().wire(), dns::type_soa, ttl_s, zone_.soa().data.front());
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
  dns::Composer& composer_;
  AnswerInfo& info_;
  const size_t zone_size_;           // of its name
  size_t owner_ = dns::header_size;  // where the name that is answered stands
};

// What is not of any zone.
[[gnu::noinline]] size_t answer_other(const Asked& asked, std::span<const uint8_t> packet, const View& view,
                                      std::span<uint8_t> out, AnswerInfo& info, const dns::OptReply* reply) {
  if (asked.verdict == dns::Verdict::drop) return 0;
  if (asked.verdict != dns::Verdict::chaos) {
    info.rcode = dns::rcode_of(asked.verdict, reply);
    return dns::compose_error(out, packet, asked.query, asked.verdict, reply);
  }
  dns::Composer composer(out, packet, asked.query, dns::answer_limit(asked.query, false), reply);
  info.rcode = answer_chaos(asked.query, view.identity.get(), composer);
  return composer.finish(info.rcode, false);
}

template <class Parse>
[[gnu::always_inline]] inline void read_with(Parse parse, std::span<const uint8_t> packet, const IpAddress& client,
                                             const View& view, Asked& asked) {
  dns::Query& query = asked.query;
  asked.verdict = parse(packet, query);
  asked.zone = ZoneSet::none;
  asked.node = nullptr;
  asked.plan = nullptr;
  if (asked.verdict != dns::Verdict::answer || !view.zones) return;
  asked.zone = query.type == dns::type_ds ? view.zones->find_parent(query.key.wire(), query.key_labels)
                                          : view.zones->find(query.key.wire(), query.key_labels);
  if (asked.zone == ZoneSet::none) return;
  asked.node = view.zones->at(asked.zone).find(query.key.wire(), query.key_labels);
  if (!asked.node || !asked.node->service) return;
  const ServiceRecord& record = *asked.node->service;
  const bool by_name = view.directory->services[record.service].by_name;
  if (!by_name && !asks_address(query) && !(record.https && query.type == dns::type_https)) return;
  const int plan = record.plan[query.type == dns::type_aaaa && !by_name];
  if (plan == ServiceRecord::no_plan) return;
  asked.plan = &plan_of(record, query.type == dns::type_aaaa && !by_name, view);
  asked.asker = asker_of(query, client);
  asked.plan->prefetch(asked.asker);
}

}  // namespace

void Answerer::read(std::span<const uint8_t> packet, const IpAddress& client, const View& view, Asked& asked) {
  read_with([](auto bytes, dns::Query& query) { return dns::parse_query(bytes, query); }, packet, client, view, asked);
}

// Nothing but the searches: so close together, the processor waits for the memory of several at once.
void Answerer::locate(std::span<Asked> batch, const View&) {
  for (Asked& asked : batch)
    if (asked.plan) asked.found = asked.plan->find(asked.asker);
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
  if (query.has_question) info.type = query.type;
  if (asked.verdict != dns::Verdict::answer)
    return answer_otherwise(asked, packet, client, transport, view, out, info, reply);
  dns::Composer composer(out, packet, query, dns::answer_limit(query, transport == Transport::tcp), reply);
  info.zone = asked.zone;
  if (info.zone == ZoneSet::none) {
    info.rcode = dns::refused;
    composer.set_error(dns::ExtendedError::not_authoritative);
    return composer.finish(dns::refused, false);
  }
  info.authoritative = true;
  Exchange exchange(asked, client, view, view.zones->at(info.zone), rng_, composer, info);
  exchange.run(asked.node);
  info.truncated = composer.truncated();
  return composer.finish(info.rcode, info.authoritative);
}

// Where there are no cookies, nothing about them may be the reason.
size_t Answerer::answer_otherwise(const Asked& asked, std::span<const uint8_t> packet, const IpAddress& client,
                                  Transport transport, const View& view, std::span<uint8_t> out, AnswerInfo& info,
                                  const dns::OptReply* reply) {
  if (view.cookies || !asked.query.has_edns || asked.verdict == dns::Verdict::drop)
    return answer_other(asked, packet, view, out, info, reply);
  Asked again;
  read_with([](auto bytes, dns::Query& query) { return dns::parse_query_without_cookies(bytes, query); }, packet,
            client, view, again);
  if (again.verdict != dns::Verdict::answer) return answer_other(again, packet, view, out, info, reply);
  locate({&again, 1}, view);
  return answer(again, packet, client, transport, view, out, info, reply);
}

}  // namespace portolan::geodns
