#include "edge/disk/disk.hh"

#include <utility>

#include "edge/disk/engine.hh"

namespace portolan::edge::disk {

Disk::Disk(const Config& config, FileSystem& files, Executor& executor, const Clock& clock, Tuning tuning)
    : engine_(std::make_shared<Engine>(config, files, executor, clock, tuning)) {}
Disk::~Disk() {
  engine_->stop();
}
void Disk::stop() {
  engine_->stop();
}
void Disk::start() {
  engine_->start();
}
bool Disk::waits(Key key) const {
  return engine_->waits(key);
}
const std::string& Disk::path() const {
  return engine_->path();
}
bool Disk::may_have(Key key) const {
  return engine_->may_have(key);
}
std::optional<Found> Disk::read(Key key) {
  return engine_->read(key);
}
FileRef Disk::hold(const Spot& spot) const {
  return engine_->hold(spot);
}
void Disk::when_stalled(std::function<void()> tell) {
  engine_->when_stalled(std::move(tell));
}
void Disk::watched(const std::function<void()>& read) const {
  engine_->watched(read);
}
void Disk::touch(Key key) {
  engine_->touch(key);
}
bool Disk::write(Record record) {
  return engine_->write(std::move(record));
}
Removed Disk::remove(Key key) {
  return engine_->remove(key);
}
void Disk::tick() {
  engine_->tick();
}
uint64_t Disk::last_sequence() const {
  return engine_->last_sequence();
}
Stats Disk::stats() const {
  return engine_->stats();
}
std::vector<SegmentStats> Disk::segments() const {
  return engine_->segments();
}
std::optional<VerifyReport> Disk::verify(const Progress& progress) {
  return engine_->verify(progress);
}
std::vector<Used> Disk::most_used(size_t most) {
  return engine_->most_used(most);
}

}  // namespace portolan::edge::disk
