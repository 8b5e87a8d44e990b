// Keys and queries: line 1 how the query is kept (a letter: a all, n none, w allow, d drop; an 's' behind it sorts, then
// names parted by blanks), line 2 the target, line 3 another target, line 4 an authority, line 5 another. What is sent is
// what is keyed, by whatever rule; keeping twice changes nothing; and keys are equal where their parts are.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "edge/rules.hh"

using namespace portolan;
using namespace portolan::edge;

namespace {

std::string take(std::string& text, char until) {
  size_t end = std::min(text.find(until), text.size());
  std::string part = text.substr(0, end);
  text.erase(0, end + 1);
  return part;
}

void require(bool holds) {
  if (!holds) std::abort();
}

CacheConfig config_of(std::string line) {
  CacheConfig c;
  std::string how = take(line, ' ');
  if (how.starts_with('n')) c.query.mode = QueryKey::Mode::none;
  if (how.starts_with('w')) c.query.mode = QueryKey::Mode::allow;
  if (how.starts_with('d')) c.query.mode = QueryKey::Mode::drop;
  c.sort_query = how.ends_with('s');
  while (!line.empty()) c.query.names.push_back(take(line, ' '));
  return c;
}

struct Target {
  explicit Target(const std::string& text) : path(text.substr(0, text.find('?'))) {
    if (path.size() < text.size()) query = text.substr(path.size() + 1);
  }
  std::optional<std::string_view> view() const {
    if (!query) return std::nullopt;
    return *query;
  }
  std::string path;
  std::optional<std::string> query;
};

std::string key_of(const Rules& rules, const std::string& authority, const Target& target) {
  std::string key;
  compose_url_key(rules, "http", authority, target.path, target.view(), key);
  return key;
}

size_t count(std::string_view query) {
  size_t pairs = 0;
  for (size_t i = 0; i < query.size(); ++i) pairs += query[i] != '&' && (i == 0 || query[i - 1] == '&');
  return pairs;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  Rules rules(config_of(take(text, '\n')));
  Target one(take(text, '\n')), two(take(text, '\n'));
  std::string here = take(text, '\n'), there = take(text, '\n');
  for (const Target& t : {one, two}) {
    auto kept = kept_query(rules, t.view());
    std::optional<std::string_view> again;
    if (kept) again = *kept;
    require(kept_query(rules, again) == kept);
    Target sent(t.path);
    sent.query = kept;
    require(key_of(rules, here, sent) == key_of(rules, here, t));
    if (kept) require(t.query && kept->size() <= t.query->size() && count(*kept) <= count(*t.query));
    key_text(key_of(rules, here, t));
  }
  bool same = one.path == two.path && here == there && kept_query(rules, one.view()) == kept_query(rules, two.view());
  require((key_of(rules, here, one) == key_of(rules, there, two)) == same);
  key_text(one.path);
  parse_url(here);
  return 0;
}
