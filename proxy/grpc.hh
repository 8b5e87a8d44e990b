#pragma once
// What the proxy knows of gRPC: whether an answer is one, and how it ended (github.com/grpc/grpc,
// doc/PROTOCOL-HTTP2.md). Pure.
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.hh"

namespace portolan::proxy {

bool is_grpc(const http::Fields& fields);  // by its Content-Type
// The value of grpc-status, from trailers or from an answer that is nothing but trailers; "" where there is none that can
// be read.
std::string_view grpc_status(const http::Fields& fields);
// "unavailable" for "14"; "" for what has no name.
std::string_view grpc_status_name(std::string_view status);
std::vector<std::string> grpc_status_names();  // in order of their numbers

}  // namespace portolan::proxy
