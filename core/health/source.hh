#pragma once
// What an entry of `servers` stands for: one address, the addresses of a name, a SRV set, a list in a file. Each keeps
// what it gave last while it fails. Control worker only.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/io.hh"
#include "core/base/server_address.hh"
#include "core/health/names.hh"
#include "core/health/server_list.hh"

namespace portolan::health {

// How the world is asked; dropping what is returned cancels.
using ResolveService = std::function<std::shared_ptr<void>(const std::string& name, loop::Resolver::ServiceCallback)>;
using ReadList = std::function<std::shared_ptr<void>(const std::string& path, const FileStamp& last,
                                                     std::function<void(ListReading)> done)>;
ResolveService resolve_services_with(loop::Resolver& resolver);
ReadList read_lists_with(loop::Worker& worker, Executor& executor);  // off the loop; what comes of it, on it
struct Lookups {
  Resolve addresses;
  ResolveService services = {};
  ReadList lists = {};
};

// A server that an entry stands for now. Nothing: as the entry says.
struct Found {
  SocketAddress address;
  std::string host;  // by what name it is called: TLS
  std::optional<int> weight;
  std::optional<int> max_connections;
  std::optional<bool> backup;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual std::vector<Found> servers() = 0;        // in a stable order; empty: nothing was found yet
  virtual const Discovery* discovery() const = 0;  // nullptr: an address, there is nothing to find
};

class Sources {
 public:
  // `on_change` as of Names, and when a set or a list became another or failed for the first time.
  Sources(loop::Worker& worker, Lookups lookups, std::function<void()> on_change);
  std::shared_ptr<Source> watch(const ServerAddress& address);  // shared while anybody holds it
  Names& names() { return names_; }

 private:
  friend class ServiceSource;
  friend class ListSource;
  loop::Worker& worker_;
  Lookups lookups_;
  std::function<void()> on_change_;
  Names names_;
  std::map<ServerAddress, std::weak_ptr<Source>> sources_;
  size_t sweep_at_ = 16;  // as of Names
};

}  // namespace portolan::health
