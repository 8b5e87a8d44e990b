#include "edge/device.hh"

#include <algorithm>
#include <initializer_list>
#include <string>

namespace portolan::edge {
namespace {

constexpr size_t longest_read = 512;  // of User-Agent: what says it stands before that

bool names_one_of(std::string_view agent, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [agent](std::string_view word) { return agent.find(word) != std::string_view::npos; });
}

}  // namespace

std::string_view device_class(const http::Fields& request) {
  auto field = request.find(http::FieldId::user_agent);
  if (!field) return "desktop";
  thread_local std::string agent;
  agent.assign(field->substr(0, longest_read));
  for (char& c : agent)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  if (names_one_of(agent, {"bot", "crawl", "spider", "slurp", "facebookexternalhit", "bingpreview", "mediapartners",
                           "lighthouse", "headless"}))
    return "bot";
  bool android = names_one_of(agent, {"android"});
  bool mobile = names_one_of(agent, {"mobi", "iphone", "ipod", "windows phone", "blackberry", "opera mini"});
  if (names_one_of(agent, {"ipad", "tablet", "kindle", "silk/", "playbook"}) || (android && !mobile)) return "tablet";
  return mobile ? "mobile" : "desktop";
}

}  // namespace portolan::edge
