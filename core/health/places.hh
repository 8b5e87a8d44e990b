#pragma once
// Servers by host and port, each followed through its name. A new list takes the place of the one before it when all
// its names were asked and one of them at least is known, so that no pool is empty in between. Control worker only.
#include <memory>
#include <vector>

#include "core/health/names.hh"
#include "core/health/server_list.hh"
#include "core/health/source.hh"

namespace portolan::health {

class Places {
 public:
  explicit Places(Names& names) : names_(names) {}
  void set(const std::vector<Place>& places);
  std::vector<Found> servers();  // also moves on to the new list where it is ready
  bool empty() const { return current_.empty(); }
  const Discovery* trouble() const;  // of a name that is not found; nullptr: none

 private:
  struct Followed {
    Place place;
    std::shared_ptr<Name> name;  // empty: a literal
  };
  using List = std::vector<Followed>;
  static bool is_ready(const List& list);
  Names& names_;
  List current_;
  std::unique_ptr<List> next_;
};

}  // namespace portolan::health
