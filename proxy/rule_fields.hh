#pragma once
// The types of what a route does beside answering from one pool: splits, mirrors, rewrites, redirects.
#include "core/conf/field.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

conf::Type<std::string> url_path(std::string example);
conf::Type<std::vector<PoolShare>> pool_shares();  // { NAME = weight, … }
const conf::Table<MirrorConfig>& mirror_fields();
const conf::Table<RewriteConfig>& rewrite_fields();
conf::Type<std::string> redirect();
// Fills redirect_to. What variables bring in can't make a redirect lead to another host than is written. False: told.
bool read_redirect(conf::Binder& binder, const conf::Value& value, RouteConfig& route);
// What the rules of a route need of it and of each other. False: told.
bool check_rules(conf::Binder& binder, const conf::Value& value, RouteConfig& route);

}  // namespace portolan::proxy
