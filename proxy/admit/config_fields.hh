#pragma once
// The types of the keys that say who may pass, and the rows of [limit.NAME].
#include "core/conf/field.hh"
#include "proxy/admit/config.hh"

namespace portolan::proxy {

conf::Type<std::vector<AccessEntry>> access_list();
conf::Type<Rate> request_rate();                // "100/s", "10/m", "1000/h"
conf::Type<std::vector<LimitConfig>> limits();  // one or many, each the name of a [limit.NAME] or a table
conf::Type<std::optional<BasicAuthConfig>> basic_auth();
conf::Type<std::optional<MaintenanceConfig>> maintenance();
conf::Type<std::optional<SignedUrlsConfig>> signed_urls();
const conf::Table<LimitConfig>& limit_fields();

}  // namespace portolan::proxy
