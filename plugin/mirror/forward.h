// Passes a request on to the registry with the caller's rights and streams the answer back. Nothing is ever answered
// from the store: whether the caller may have a blob is for the upstream to say.
#pragma once

#include "plugin/mirror/http_message.h"
#include "plugin/net/network_thread.h"
#include "plugin/registry/repository.h"

namespace paceline::mirror {

/// Limits of a forwarded transfer, from [fetch].
struct ForwardLimits {
  std::uint64_t stall_bytes = 1024;
  Duration stall_window = std::chrono::seconds(15);
};

/// `path` as in Repository::request(). Endpoints are asked in order until one has it; the last one's answer is the
/// caller's. An error: no endpoint answered. Blocks until the answer's head is there.
Result<Response> forward(net::NetworkThread& network, registry::Repository& repository, const Request& request,
                         const std::string& path, const ForwardLimits& limits);

/// Header fields of an upstream answer that a client may see, copied from one to the other.
void copy_end_to_end(const net::Headers& from, net::Headers& to);

}  // namespace paceline::mirror
