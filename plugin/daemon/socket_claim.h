// The right to serve on a unix socket. gRPC unlinks a socket file that exists and binds its own, whoever still listens
// on the old one (grpc#17122): so a lock is taken first, and only a socket that nobody listens on is removed.
#pragma once

#include <string>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"

namespace paceline::daemon {

/// Makes the socket's folder (0700) and holds `<address>.lock` as long as the descriptor lives.
/// kFailedPrecondition: the socket is in use.
Result<UniqueFd> claim_socket(const std::string& address);

}  // namespace paceline::daemon
