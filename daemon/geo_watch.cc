#include "daemon/geo_watch.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

bool same_files(const std::vector<struct stat>& a, const std::vector<struct stat>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_file);
}

}  // namespace

struct GeoWatch::Outcome {
  Now began;
  std::vector<struct stat> looked;
  GeoFiles files;
  std::shared_ptr<geodns::View> view;  // null: nothing is to be done
  std::string error;
};

GeoWatch::GeoWatch(loop::Worker& control, Executor& executor, Hooks hooks, int64_t interval_ms)
    : control_(control),
      executor_(executor),
      hooks_(std::move(hooks)),
      interval_ms_(interval_ms),
      due_(control, this, &loop::Calls<&GeoWatch::on_due>::call),
      alive_(std::make_shared<GeoWatch*>(this)) {
  due_.set(interval_ms_);
}

GeoWatch::~GeoWatch() {
  *alive_ = nullptr;
}

std::string GeoWatch::failure() const {
  return same_files(hooks_.now().files.files, tried_) ? "" : failure_;
}

void GeoWatch::on_due() {
  auto outcome = std::make_shared<Outcome>();
  outcome->began = hooks_.now();
  if (outcome->began.files.databases.empty()) return due_.set(interval_ms_);
  const bool taken = executor_.submit([&control = control_, outcome, seen = seen_, tried = tried_, alive = alive_] {
    outcome->looked = stat_files(outcome->began.files.databases);
    const bool settled = same_files(outcome->looked, seen);
    if (settled && !same_files(outcome->looked, outcome->began.files.files) && !same_files(outcome->looked, tried)) {
      std::vector<std::string> errors;
      outcome->files = read_geo(outcome->began.files.databases, outcome->began.files, errors);
      if (errors.empty()) {
        outcome->view = std::make_shared<geodns::View>(*outcome->began.view);
        geodns::give_places(*outcome->view, outcome->files.table, outcome->began.view.get());
      } else {
        outcome->error = fmt::format("{}", fmt::join(errors, "; "));
      }
    }
    control.post([outcome, alive] {
      if (*alive) (*alive)->finish(*outcome);
    });
  });
  if (!taken) due_.set(interval_ms_);
}

void GeoWatch::finish(const Outcome& outcome) {
  due_.set(interval_ms_);
  seen_ = outcome.looked;
  if (!outcome.error.empty()) {
    tried_ = outcome.looked;
    ++failures_;
    failure_ = outcome.error;
    log::error("a database changed and can't be used, the old one goes on", {{"reason", outcome.error}});
  }
  if (!outcome.view) return;
  const Now now = hooks_.now();
  // A reload came between: it has read the files itself, or the next look does.
  if (now.files.table != outcome.began.files.table || now.view->zones != outcome.began.view->zones) return;
  failure_.clear();
  log::info("databases changed", {{"locations", outcome.files.table->location_count()}});
  hooks_.take(outcome.files, outcome.view);
}

}  // namespace portolan::daemon
