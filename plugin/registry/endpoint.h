// One host that may be asked for a registry's content: a mirror from hosts.toml, or the registry itself.
// Values, any thread.
#pragma once

#include <string>
#include <string_view>

#include "plugin/base/clock.h"
#include "plugin/net/http.h"

namespace paceline::registry {

struct Endpoint {
  std::string host;      ///< "registry-1.docker.io", "10.0.0.1:5000": with the port when one was written.
  std::string base;      ///< "https://registry-1.docker.io/v2", no slash at the end.
  net::Headers headers;  ///< From hosts.toml; may hold secrets.
  net::TlsOptions tls;
  Duration connect_timeout = std::chrono::seconds(10);
  bool pull = true;       ///< May be asked for blobs, and for manifests by digest.
  bool resolve = true;    ///< May be asked what a tag means.
  bool upstream = false;  ///< The registry itself (hosts.toml's `server`), not a mirror.
  bool try_http = false;  ///< A loopback host whose scheme nobody named: https is tried, then http.

  [[nodiscard]] bool plain_http() const { return base.starts_with("http://"); }
};

/// "localhost", 127.0.0.0/8 or [::1], with or without a port.
bool is_loopback(std::string_view host);

/// The endpoint a server URL of hosts.toml stands for: https unless it says http, "/v2" appended unless `override_path`
/// or already there. kInvalidArgument names what is wrong with the URL.
Result<Endpoint> endpoint_of(std::string_view server, bool override_path);

/// The registry itself where no file says otherwise: docker.io is served by registry-1.docker.io.
Endpoint default_endpoint(const std::string& registry);

/// Whether `endpoint` serves `registry` under another name and so must be told which one is meant (`?ns=`, as
/// containerd does).
bool is_proxy_for(const Endpoint& endpoint, const std::string& registry);

}  // namespace paceline::registry
