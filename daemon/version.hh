#pragma once
#include <string_view>

namespace portolan::daemon {

inline constexpr std::string_view version = "0.1.0";

}  // namespace portolan::daemon
