#include "proxy/admit.hh"

namespace portolan::proxy {

Admission::Outcome Admission::run(const Visitor& visitor) {
  if (!std::exchange(begun_, true)) {
    for (auto step : {&Admission::networks, &Admission::maintenance, &Admission::limits, &Admission::signature})
      if ((this->*step)(visitor) != Outcome::pass) return Outcome::refuse;
  }
  return password(visitor);
}

Admission::Outcome Admission::networks(const Visitor& v) {
  for (const Gate* gate : gates_)
    if (gate && !gate->access.pass(v.client, v.country, v.geo)) return refuse(Refusal::denied, Respond::error(403));
  return Outcome::pass;
}

Admission::Outcome Admission::maintenance(const Visitor& v) {
  const Gate* route = gates_[1];
  if (!route || !route->maintenance || !route->maintenance->on()) return Outcome::pass;
  const Gate::Maintenance& m = *route->maintenance;
  if (m.allow.holds(v.client, v.country, v.geo)) return Outcome::pass;
  auto page = std::make_unique<Respond>(503, m.body, m.content_type);
  page->add("Cache-Control", "no-store");
  page->add("Retry-After", m.retry_after);
  return refuse(Refusal::maintenance, std::move(page));
}

// A request takes a token of each limit, or of none.
Admission::Outcome Admission::limits(const Visitor& v) {
  const int64_t now_us = worker_.now_us();
  Limiter* taken[2 * most_limits];
  size_t count = 0;
  for (const Gate* gate : gates_) {
    if (!gate) continue;
    for (const auto& limit : gate->limits) {
      int64_t wait_us = limit->take(limit->key_of(v.head, v.client), now_us);
      if (wait_us == 0) {
        taken[count++] = limit.get();
        continue;
      }
      while (count > 0) {
        Limiter& before = *taken[--count];
        before.give_back(before.key_of(v.head, v.client), now_us);
      }
      auto answer = Respond::error(429);
      answer->add("Retry-After", std::to_string((wait_us + 999'999) / 1'000'000));
      return refuse(Refusal::rate_limited, std::move(answer));
    }
  }
  return Outcome::pass;
}

Admission::Outcome Admission::signature(const Visitor& v) {
  if (!gates_[1] || !gates_[1]->url_keys) return Outcome::pass;
  switch (check_signature(*gates_[1]->url_keys, v.host, v.head.path, v.head.query, v.client, worker_.wall_ms() / 1000,
                          query_)) {
    case SignatureVerdict::good:
      return Outcome::pass;
    case SignatureVerdict::expired:
      return refuse(Refusal::expired_signature, Respond::error(403));
    case SignatureVerdict::bad:
      break;
  }
  return refuse(Refusal::bad_signature, Respond::error(403));
}

void Admission::strip_signature(http::RequestHead& head) const {
  if (!gates_[1] || !gates_[1]->url_keys) return;
  head.has_query = query_.has_value();
  head.query = query_ ? std::string_view(*query_) : std::string_view();
}

Admission::Outcome Admission::password(const Visitor& v) {
  const Gate::BasicAuth* a = auth();
  if (!a) return Outcome::pass;
  if (v.head.fields.count(http::FieldId::authorization) > 1) return ask_for_password(Refusal::bad_password);
  Credentials credentials;
  switch (credentials.read(v.head.fields.find(http::FieldId::authorization).value_or(""))) {
    case Credentials::Read::none:
      return ask_for_password(Refusal::no_password);
    case Credentials::Read::malformed:
      return ask_for_password(Refusal::bad_password);
    case Credentials::Read::ok:
      break;
  }
  switch (verifier_.check(a->users, credentials, v.client, v.waiter, wait_)) {
    case Verifier::Verdict::good:
      user_ = credentials.user();
      return Outcome::pass;
    case Verifier::Verdict::bad:
      return ask_for_password(Refusal::bad_password);
    case Verifier::Verdict::waiting:
      return Outcome::wait;
    case Verifier::Verdict::busy:
      break;
  }
  return refuse(Refusal::busy, Respond::error(503));
}

Admission::Outcome Admission::ask_for_password(Refusal why) {
  auto answer = Respond::error(401);
  answer->add("WWW-Authenticate", auth()->challenge);
  return refuse(why, std::move(answer));
}

Admission::Outcome Admission::refuse(Refusal why, std::unique_ptr<Respond> answer) {
  refusal_ = why;
  answer_ = std::move(answer);
  return Outcome::refuse;
}

void Admission::prepare(RequestFilter& filter) const {
  const Gate::BasicAuth* a = auth();
  if (!a) return;
  filter.pass_authorization = a->pass_authorization;
  filter.user_header = a->user_header;
  filter.user = user_;
}

}  // namespace portolan::proxy
