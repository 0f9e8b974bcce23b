#include "plugin/registry/endpoint.h"

#include <algorithm>

#include "plugin/base/text.h"
#include "plugin/net/url.h"

namespace paceline::registry {
namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubServer = "registry-1.docker.io";

struct HostPort {
  std::string_view host;
  std::string_view port;
};

HostPort split_port(std::string_view host) {
  const auto bracket = host.rfind(']');
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return {host, {}};
  return {host.substr(0, colon), host.substr(colon + 1)};
}

}  // namespace

bool is_loopback(std::string_view host) {
  const std::string name = to_lower(split_port(host).host);
  if (name == "localhost" || name == "[::1]") return true;
  // A name like 127.evil.example is no address: digits and dots only.
  return name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string::npos;
}

Result<Endpoint> endpoint_of(std::string_view server, bool override_path) {
  // Before an '@' or behind a '?' a password or a key could stand.
  const std::string shown(
      server.substr(server.rfind('@') == std::string_view::npos ? 0 : server.rfind('@') + 1).substr(0, 200));
  const auto invalid = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "server '" + shown.substr(0, shown.find('?')) + "' " + std::string(why) +
                                            ": expected e.g. https://mirror.example");
  };
  std::string scheme = "https";
  std::string_view rest = server;
  if (const auto mark = server.find("://"); mark != std::string_view::npos) {
    scheme = to_lower(server.substr(0, mark));
    rest = server.substr(mark + 3);
  }
  if (scheme != "https" && scheme != "http") return invalid("is neither http nor https");
  if (rest.find_first_of("?#@ \t\r\n\\\"") != std::string_view::npos)
    return invalid("holds a character that has no place there");
  const auto slash = rest.find('/');
  const std::string_view host = rest.substr(0, slash);
  std::string path(slash == std::string_view::npos ? "" : rest.substr(slash));
  while (path.ends_with('/')) path.pop_back();
  if (host.empty() || !net::host_key(scheme + "://" + std::string(host) + "/")) return invalid("has no valid host");
  if (!override_path && !path.ends_with("/v2")) path += "/v2";

  Endpoint out;
  out.host = std::string(host);
  out.base = scheme + "://" + std::string(host) + path;
  return out;
}

Endpoint default_endpoint(const std::string& registry) {
  Endpoint out;
  out.upstream = true;
  out.host = registry == kDockerHub ? std::string(kDockerHubServer) : registry;
  std::string scheme = "https";
  if (is_loopback(registry)) {
    // containerd: a loopback registry seldom has a certificate; its port tells whether it can be plain HTTP.
    const std::string_view port = split_port(registry).port;
    if (port == "80") scheme = "http";
    out.tls.skip_verify = port != "80";
    out.try_http = !port.empty() && port != "80" && port != "443";
  }
  out.base = scheme + "://" + out.host + "/v2";
  return out;
}

bool is_proxy_for(const Endpoint& endpoint, const std::string& registry) {
  return endpoint.host != registry && !(registry == kDockerHub && endpoint.host == kDockerHubServer);
}

}  // namespace paceline::registry
