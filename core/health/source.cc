#include "core/health/source.hh"

#include <algorithm>

#include "core/health/places.hh"

namespace portolan::health {

namespace {

constexpr int64_t look_at_lists_ms = 1'000;
constexpr int heaviest = 1'000;  // as `weight` in the configuration

// "host:port", or an address.
class HostSource final : public Source {
 public:
  HostSource(Names& names, const HostPort& at) : at_(at), name_(at.is_literal ? nullptr : names.watch(at.host)) {}
  std::vector<Found> servers() override {
    std::vector<Found> found;
    if (!name_) found.push_back({at_.literal, at_.host, {}, {}, {}});
    if (name_)
      for (const IpAddress& ip : name_->addresses()) found.push_back({{ip, at_.port, {}}, at_.host, {}, {}, {}});
    return found;
  }
  const Discovery* discovery() const override { return name_ ? &name_->discovery() : nullptr; }

 private:
  HostPort at_;
  std::shared_ptr<Name> name_;
};

// RFC 2782: the lowest priority is used, the others are backups; weights are shares within a priority. A weight of 0 is
// the least there is.
std::vector<Place> places_of(const std::vector<loop::ServiceRecord>& records) {
  int most = 1;
  for (const loop::ServiceRecord& r : records) most = std::max<int>(most, r.weight);
  std::vector<Place> places;
  for (const loop::ServiceRecord& r : records) {
    Place place;
    place.at = *HostPort::parse(r.target + ":" + std::to_string(r.port));  // the resolver looked at it
    place.asked = r.target + ".";
    place.weight = std::max(1, most <= heaviest ? int{r.weight} : r.weight * heaviest / most);
    place.backup = r.priority > records.front().priority;
    places.push_back(std::move(place));
  }
  return places;
}

// A set is found when its names are.
const Discovery* whole(const Discovery& set, const Places& places) {
  const Discovery* trouble = places.trouble();
  return set.state == Discovery::State::found && trouble ? trouble : &set;
}

}  // namespace

class ServiceSource final : public Source {
 public:
  ServiceSource(Sources& sources, std::string name)
      : sources_(sources),
        name_(std::move(name)),
        places_(sources.names_),
        log_(sources.worker_, "srv:" + name_),
        again_(sources.worker_, this, &loop::Calls<&ServiceSource::ask>::call) {
    ask();
  }
  std::vector<Found> servers() override { return places_.servers(); }
  const Discovery* discovery() const override { return whole(log_.now(), places_); }

 private:
  void ask() {
    if (!sources_.lookups_.services) return;
    ticket_ =
        sources_.lookups_.services(name_, [this](const Result<loop::ServiceResolution>& answer) { on_answer(answer); });
  }

  void on_answer(const Result<loop::ServiceResolution>& answer) {
    if (!answer || answer->records.empty()) {
      again_.set(ask_again_ms);
      if (log_.failing(answer ? "no SRV record" : answer.error().text, !places_.empty())) sources_.on_change_();
      return;
    }
    again_.set(sources_.names_.bounds().of(answer->ttl_ms));
    log_.found();
    if (answer->records == records_) return;
    records_ = answer->records;
    places_.set(places_of(records_));
    sources_.on_change_();
  }

  Sources& sources_;
  std::string name_;
  std::vector<loop::ServiceRecord> records_;
  Places places_;
  DiscoveryLog log_;
  std::shared_ptr<void> ticket_;
  loop::Timer again_;
};

// Looked at once a second: an edit, or another file under the same name.
class ListSource final : public Source {
 public:
  ListSource(Sources& sources, std::string path)
      : sources_(sources),
        path_(std::move(path)),
        places_(sources.names_),
        log_(sources.worker_, "file:" + path_),
        again_(sources.worker_, this, &loop::Calls<&ListSource::look>::call) {
    look();
  }
  std::vector<Found> servers() override { return places_.servers(); }
  const Discovery* discovery() const override { return whole(log_.now(), places_); }

 private:
  void look() {
    if (!sources_.lookups_.lists) return;
    ticket_ = sources_.lookups_.lists(path_, stamp_, [this](const ListReading& reading) { on_reading(reading); });
  }

  void on_reading(const ListReading& reading) {
    again_.set(look_at_lists_ms);
    if (!reading.changed) return;
    stamp_ = reading.stamp;
    if (!reading.places) {
      if (log_.failing(reading.places.error().text, !places_.empty(), true)) sources_.on_change_();
      return;
    }
    log_.found();
    if (*reading.places == listed_) return;
    listed_ = *reading.places;
    places_.set(listed_);
    sources_.on_change_();
  }

  Sources& sources_;
  std::string path_;
  FileStamp stamp_;
  std::vector<Place> listed_;
  Places places_;
  DiscoveryLog log_;
  std::shared_ptr<void> ticket_;
  loop::Timer again_;
};

ResolveService resolve_services_with(loop::Resolver& resolver) {
  return [&resolver](const std::string& name, loop::Resolver::ServiceCallback done) {
    return std::shared_ptr<void>(
        std::shared_ptr<loop::Resolver::Ticket>(resolver.resolve_service(name, std::move(done))));
  };
}

ReadList read_lists_with(loop::Worker& worker, Executor& executor) {
  return [&worker, &executor](const std::string& path, const FileStamp& last, std::function<void(ListReading)> done) {
    auto ticket = std::make_shared<std::function<void(ListReading)>>(std::move(done));
    std::weak_ptr<std::function<void(ListReading)>> asked = ticket;
    auto tell = [&worker, asked](ListReading reading) {
      worker.post([asked, reading = std::move(reading)] {
        if (auto still = asked.lock()) std::exchange(*still, nullptr)(reading);
      });
    };
    if (!executor.submit([path, last, tell] { tell(read_server_list(path, last)); })) tell({false, last});
    return std::shared_ptr<void>(ticket);
  };
}

Sources::Sources(loop::Worker& worker, Lookups lookups, std::function<void()> on_change)
    : worker_(worker),
      lookups_(std::move(lookups)),
      on_change_(std::move(on_change)),
      names_(worker, lookups_.addresses, [this] { on_change_(); }) {}

std::shared_ptr<Source> Sources::watch(const ServerAddress& address) {
  if (address.is_literal) return std::make_shared<HostSource>(names_, address);
  if (sources_.size() >= sweep_at_) {
    std::erase_if(sources_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * sources_.size() + 16;
  }
  auto& weak = sources_[address];
  auto source = weak.lock();
  if (source) return source;
  if (address.kind == ServerAddress::Kind::srv)
    source = std::make_shared<ServiceSource>(*this, address.host);
  else if (address.kind == ServerAddress::Kind::file)
    source = std::make_shared<ListSource>(*this, address.host);
  else
    source = std::make_shared<HostSource>(names_, address);
  weak = source;
  return source;
}

}  // namespace portolan::health
