#pragma once
// ALIAS records: the addresses of other names, which control follows so that answers needn't wait.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/loop/resolver.hh"
#include "geodns/alias_table.hh"
#include "geodns/zone.hh"

namespace portolan::geodns {

// Follows the names through the resolver, each again when half of its TTL has passed; as the other half is what is
// answered, nothing outlives what the resolver said, however late in it a question comes. What fails or says that there is nothing
// keeps what was there last: a name that has addresses is never unlearned. One loop's.
class AliasKeeper {
 public:
  static constexpr int64_t least_wait_ms = 5'000;
  static constexpr int64_t most_wait_ms = 3'600'000;
  static constexpr int64_t retry_ms = 5'000;  // after a failure

  // `on_change`: what table() gives has changed.
  AliasKeeper(loop::Worker& worker, loop::Resolver& resolver, std::function<void()> on_change);
  ~AliasKeeper();
  // The names to follow from now on; those followed already go on as they are.
  void follow(const std::vector<AliasTarget>& targets);
  std::shared_ptr<const AliasTable> table() const;

  // What is known of a target, for people. Moments are milliseconds since 1970, 0: never.
  struct Report {
    AliasTarget target;
    std::vector<std::string> addresses;  // as they are answered
    int64_t good_ms = 0;                 // when both families were told last
    int64_t failing_ms = 0;              // since when they aren't
    std::string reason;                  // why
  };
  std::vector<Report> reports() const;

 private:
  struct Followed;
  loop::Worker& worker_;
  loop::Resolver& resolver_;
  std::function<void()> on_change_;
  std::vector<AliasTarget> targets_;
  std::map<std::string, std::unique_ptr<Followed>> followed_;
};

}  // namespace portolan::geodns
