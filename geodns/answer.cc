#include "geodns/answer.hh"

#include "core/dns/compose.hh"

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
    if (node.service && asks_address(query_)) return solve_service(*node.service);
    const RecordSet* set = node.find(query_.type);
    if (!set) return negative();
    if (set->type == dns::type_ns || set->type == dns::type_mx) return add_with_glue(*set, owner);
    composer_.add_set(Section::answer, owner_, set->packed, zone_size_);
  }

  void solve_service(const ServiceRecord& record) {
    const bool v6 = query_.type == dns::type_aaaa;
    const Service& service = view_.directory->services[record.service];
    if (record.candidates[v6].empty()) return negative();
    const Choice choice =
        record.policy->policy->needs_location() ? choose_by_place(record, v6) : choose(record, v6, nullptr);
    info_.policy = record.policy->name;
    if (choice.by_location) composer_.set_scope(scope_);
    if (choice.candidate == Choice::all) {
      info_.datacenter = AnswerInfo::every_datacenter;
      return add_addresses(record, service.all(v6));
    }
    const Site& site = service.sites[record.candidates[v6][choice.candidate].site];
    info_.datacenter = site.datacenter;
    add_addresses(record, site.of(v6));
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
  void add_addresses(const ServiceRecord& record, const Addresses& list) {
    size_t next = list.size() > 1 ? rng_.below(list.size()) : 0;
    for (size_t i = 0; i < list.size(); i++) {
      composer_.add_at(Section::answer, owner_, query_.type, record.ttl_s, list[next]);
      if (++next == list.size()) next = 0;
    }
  }

  // NS and MX, and the addresses of the zone's own names behind them, while they fit. Never a service's: those
  // depend on the asker.
  void add_with_glue(const RecordSet& set, std::string_view owner) {
    for (const std::string& data : set.data) composer_.add(Section::answer, owner, set.type, set.ttl_s, data);
    for (const std::string& data : set.data) {
      const std::string_view target = std::string_view(data).substr(set.type == dns::type_mx ? 2 : 0);
      const Node* node = view_.zones->find(target) == info_.zone ? zone_.find(target) : nullptr;
      if (!node) continue;
      for (uint16_t type : {dns::type_a, dns::type_aaaa}) {
        const RecordSet* addresses = node->find(type);
        if (!addresses) continue;
        for (const std::string& address : addresses->data)
          composer_.add(Section::additional, target, type, addresses->ttl_s, address);
      }
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

}  // namespace

void Answerer::read(std::span<const uint8_t> packet, const IpAddress& client, const View& view, Asked& asked) {
  dns::Query& query = asked.query;
  asked.verdict = dns::parse_query(packet, query);
  asked.zone = ZoneSet::none;
  asked.node = nullptr;
  asked.by_place = false;
  if (asked.verdict != dns::Verdict::answer || !view.zones) return;
  asked.zone = view.zones->find(query.key.wire(), query.key_labels);
  if (asked.zone == ZoneSet::none) return;
  asked.node = view.zones->at(asked.zone).find(query.key.wire(), query.key_labels);
  if (!asked.node || !asked.node->service || !asks_address(query)) return;
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
                        Transport transport, const View& view, std::span<uint8_t> out, AnswerInfo& info) {
  info = AnswerInfo{};
  const dns::Query& query = asked.query;
  if (asked.verdict == dns::Verdict::drop) return 0;
  if (query.has_question) info.type = query.type;
  if (asked.verdict != dns::Verdict::answer) {
    info.rcode = dns::rcode_of(asked.verdict);
    return dns::compose_error(out, packet, query, asked.verdict);
  }
  dns::Composer composer(out, packet, query, dns::answer_limit(query, transport == Transport::tcp));
  info.zone = asked.zone;
  if (info.zone == ZoneSet::none) {
    info.rcode = dns::refused;
    return composer.finish(dns::refused, false);
  }
  Exchange exchange(asked, client, view, view.zones->at(info.zone), rng_, memo_.is_of(view) ? &memo_ : nullptr,
                    composer, info);
  exchange.run(asked.node);
  info.truncated = composer.truncated();
  return composer.finish(info.rcode, true);
}

}  // namespace portolan::geodns
