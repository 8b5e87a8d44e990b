#include "proxy/admit/verifier.hh"

#include <algorithm>
#include <cstring>

#include "core/crypto/password.hh"

namespace portolan::proxy {

struct Verifier::Job {
  Job(loop::Worker& w, Verifier& v) : worker(w), verifier(&v) {}
  ~Job() { ::explicit_bzero(password.data(), password.size()); }

  // Set before it is submitted.
  loop::Worker& worker;
  std::string password, hash;
  bool exists = false;  // else the hash is somebody else's
  int64_t submitted_ms = 0;
  ClientCounts::Entry counted = ClientCounts::uncounted;
  Tag tag;
  // Set by the worker, read by the thread that hashes.
  std::atomic<bool> abandoned{false};
  // Set by that thread before it tells the worker.
  Verdict verdict = Verdict::waiting;
  // The worker's.
  Verifier* verifier;  // nullptr: it is gone
  std::vector<Wait*> waits;

  // The thread that hashes.
  void run() {
    if (abandoned.load(std::memory_order_relaxed)) return;
    if (worker.clock().now_ms() - submitted_ms > longest_queued_ms) {
      verdict = Verdict::busy;
      return;
    }
    bool good = crypto::check_password(password, hash);
    verdict = good && exists ? Verdict::good : Verdict::bad;
  }
};

Verifier::Wait::~Wait() {
  if (!job_) return;
  std::erase(job_->waits, this);
  if (job_->waits.empty()) job_->abandoned = true;
}

Verifier::Verifier(loop::Worker& worker, Executor* const& executor, ClientCounts& pending)
    : worker_(worker),
      executor_(executor),
      pending_(pending),
      keys_{crypto::HashKey::fresh(), crypto::HashKey::fresh()} {}

Verifier::~Verifier() {
  for (auto& [tag, job] : jobs_) {
    job->verifier = nullptr;
    job->abandoned = true;
    pending_.release(job->counted);
  }
}

Verifier::Tag Verifier::tag_of(const Users& users, const Credentials& c) const {
  char text[sizeof(uint64_t) + Credentials::capacity];
  uint64_t id = users.id();
  size_t size = 0;
  auto put = [&](const void* bytes, size_t n) {
    std::memcpy(text + size, bytes, n);
    size += n;
  };
  put(&id, sizeof id);
  put(c.user().data(), c.user().size());
  put("", 1);
  put(c.password().data(), c.password().size());
  Tag tag{crypto::keyed_hash(keys_[0], {text, size}), crypto::keyed_hash(keys_[1], {text, size})};
  ::explicit_bzero(text, size);
  return tag;
}

Verifier::Known* Verifier::known(const Tag& tag) {
  if (!known_) known_ = std::make_unique<std::array<Known, ways * sets>>();
  Known* set = known_->data() + tag.a % sets * ways;
  for (size_t i = 0; i < ways; ++i)
    if (set[i].tag == tag && set[i].until_ms > worker_.now_ms()) return &set[i];
  return nullptr;
}

// In place of what would be forgotten first.
void Verifier::remember(const Tag& tag, bool good) {
  Known* set = known_->data() + tag.a % sets * ways;
  Known* place =
      std::min_element(set, set + ways, [](const Known& x, const Known& y) { return x.until_ms < y.until_ms; });
  *place = {tag, worker_.now_ms() + (good ? good_for_ms : bad_for_ms), good};
}

Verifier::Verdict Verifier::check(const std::shared_ptr<const Users>& users, const Credentials& credentials,
                                  const IpAddress& client, loop::Runnable& waiter, Wait& wait) {
  if (wait.job_) return Verdict::waiting;
  if (wait.verdict_ != Verdict::waiting) return wait.verdict_;
  Tag tag = tag_of(*users, credentials);
  if (Known* k = known(tag)) return k->good ? Verdict::good : Verdict::bad;
  auto& job = jobs_[tag];
  if (!job) {
    job = std::make_shared<Job>(worker_, *this);
    job->tag = tag;
    job->password = credentials.password();
    const std::string* hash = users->find(credentials.user());
    job->exists = hash != nullptr;
    job->hash = hash ? *hash : users->decoy(credentials.user());
    job->submitted_ms = worker_.now_ms();
    job->counted = pending_.acquire({}, client, most_of_a_client);
    if (job->counted == ClientCounts::refused || !submit(job)) {
      pending_.release(job->counted);
      jobs_.erase(tag);
      return Verdict::busy;
    }
  }
  job->abandoned = false;
  job->waits.push_back(&wait);
  wait.job_ = job;
  wait.waiter_ = &waiter;
  return Verdict::waiting;
}

bool Verifier::submit(const std::shared_ptr<Job>& job) {
  return executor_ && executor_->submit([job] {
    job->run();
    job->worker.post([job] {
      if (job->verifier) job->verifier->done(*job);
    });
  });
}

// A verdict of `waiting`: nobody was there when its turn came, and somebody has come since; who runs asks anew.
void Verifier::done(Job& job) {
  if (job.verdict == Verdict::good || job.verdict == Verdict::bad) remember(job.tag, job.verdict == Verdict::good);
  pending_.release(job.counted);
  for (Wait* wait : job.waits) {
    wait->job_.reset();
    wait->verdict_ = job.verdict;
    worker_.run_soon(*wait->waiter_);
  }
  job.waits.clear();
  jobs_.erase(job.tag);
}

}  // namespace portolan::proxy
