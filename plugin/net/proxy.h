// Which proxy a request goes through, by the rules operators know from curl and Go. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "plugin/net/network_thread.h"

namespace paceline::net {

/// The proxy's URL, or empty: none for this URL. NO_PROXY is left to libcurl, which knows its forms.
/// A loopback host is never proxied, as in Go's ProxyFromEnvironment and so in containerd: it is another machine's
/// loopback that the proxy would reach.
std::string proxy_for(const NetworkOptions& options, std::string_view url);

}  // namespace paceline::net
