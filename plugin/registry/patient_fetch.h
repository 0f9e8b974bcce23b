// A small request sent again when the network or the server had a bad moment. Any thread but the network's; blocks.
#pragma once

#include "plugin/base/clock.h"
#include "plugin/net/network_thread.h"

namespace paceline::registry {

struct RetryPolicy {
  unsigned attempts = 3;
  Duration first_delay = std::chrono::milliseconds(200);  ///< Doubles each time; jittered by ±50 %.
  Duration max_retry_after = std::chrono::seconds(5);  ///< A server that asks for more is taken at its word: no retry.

  [[nodiscard]] RetryPolicy once() const {
    RetryPolicy out = *this;
    out.attempts = 1;
    return out;
  }
};

/// Retries connect and transfer errors, 429 and 5xx. The last answer, whatever it is, is returned.
Result<net::HttpResponse> fetch_patiently(net::NetworkThread& network, const net::HttpRequest& request,
                                          std::size_t body_limit, const RetryPolicy& policy, const Clock& clock);

struct FollowedResponse {
  net::HttpResponse response;
  bool left_origin = false;  ///< Another host answered: its challenges are not the registry's.
};

/// The same, following up to five redirects. To another origin only Accept goes along: no Authorization, no header that
/// hosts.toml gave for the first host.
Result<FollowedResponse> fetch_following(net::NetworkThread& network, net::HttpRequest request, std::size_t body_limit,
                                         const RetryPolicy& policy, const Clock& clock);

}  // namespace paceline::registry
