#include "proxy/config.hh"

namespace portolan::proxy {

Timeouts TimeoutOverrides::over(const Timeouts& base) const {
  return Timeouts{header.value_or(base.header),       connect.value_or(base.connect),
                  response.value_or(base.response),   idle.value_or(base.idle),
                  keepalive.value_or(base.keepalive), tunnel.value_or(base.tunnel),
                  min_rate.value_or(base.min_rate),   min_rate_after.value_or(base.min_rate_after)};
}

std::string HstsConfig::field() const {
  std::string value = "max-age=" + std::to_string(max_age_s);
  if (include_subdomains) value += "; includeSubDomains";
  if (preload) value += "; preload";
  return value;
}

}  // namespace portolan::proxy
