#include "edge/parts_reader.hh"

#include <algorithm>

#include "edge/collapse/run.hh"
#include "edge/memory.hh"

namespace portolan::edge {
namespace {

constexpr int most_failures = 2;  // fetches of one fragment that break before its reader gives up
constexpr int most_broken = Parts::fragment_bytes / Run::least_progress;  // … however much each of them brings
constexpr uint64_t most_looked_at = 1024;

}  // namespace

PartsReader::PartsReader(const ObjectRef& object)
    : parts_(object->parts()), store_(parts_->store()), stop_(parts_->size()) {}

PartsReader::~PartsReader() {
  follow(nullptr);
}

void PartsReader::select(uint64_t first, uint64_t count) {
  reader_.reset();
  position_ = first;
  stop_ = first + count;
}

void PartsReader::follow(std::shared_ptr<Run> run) {
  if (run == run_) return;
  if (run) run->join();
  if (run_) run_->leave();
  run_ = std::move(run);
}

void PartsReader::attach(std::shared_ptr<Content> content, std::shared_ptr<Run> run) {
  http::ByteRange fragment = parts_->fragment(Parts::number_of(position_));
  uint64_t end = std::min(stop_, fragment.first + fragment.length);
  store_->touch(*parts_);
  reader_.emplace(std::move(content));
  reader_->select(position_ - fragment.first, end - position_);
  if (run) follow(std::move(run));
  if (run_) run_->want(std::min(position_ + Run::ahead_bytes, stop_));
}

bool PartsReader::find() {
  FragmentKey key = parts_->key(Parts::number_of(position_));
  Store::FragmentFound found = store_->find_fragment(key);
  if (!found.content) found.content = store_->load_fragment(key);
  if (!found.content) return false;
  attach(std::move(found.content), std::move(found.run));
  return true;
}

PartsReader::State PartsReader::state() {
  for (;;) {
    if (position_ >= stop_) return State::end;
    if (!store_) return State::failed;
    if (failures_ >= most_failures) {
      parts_->note_trouble(true);
      return State::failed;
    }
    if (!reader_ && !find()) return parts_->outdated() ? State::failed : State::absent;
    switch (reader_->state()) {
      case Reader::State::more:
        return State::more;
      case Reader::State::end:
        reader_.reset();
        failures_ = broken_ = 0;
        break;
      case Reader::State::released:  // it was on the disk, and is there no more
        reader_.reset();
        break;
      case Reader::State::failed:
        reader_.reset();
        failures_ = run_ && run_->left_much() && ++broken_ < most_broken ? 0 : failures_ + 1;
        break;
      default:
        return State::wait;
    }
  }
}

size_t PartsReader::read(Body& out, size_t max) {
  if (!reader_) return 0;
  size_t n = reader_->read(out, max);
  position_ += n;
  if (run_) run_->want(std::min(position_ + Run::ahead_bytes, stop_));
  return n;
}

void PartsReader::wait(std::shared_ptr<Waker> waker) {
  if (reader_) return reader_->wait(std::move(waker));
  waker->wake();
}

bool PartsReader::has(uint64_t first, uint64_t count) const {
  if (!store_ || count == 0) return true;
  uint64_t last = Parts::number_of(first + count - 1);
  for (uint64_t n = Parts::number_of(first), looked = 0; n <= last && looked < most_looked_at; ++n, ++looked)
    if (FragmentKey key = parts_->key(n); !store_->has_fragment(key) && !store_->on_disk(key)) return false;
  return true;
}

std::unique_ptr<Writer> PartsReader::fetch() {
  auto run = std::make_shared<Run>(store_, parts_);
  if (!run->plan(position_, stop_, run_.get())) return nullptr;
  attach(run->current(), run);
  return std::unique_ptr<Writer>(new Writer(std::move(run)));
}

}  // namespace portolan::edge
