#include "plugin/net/proxy.h"

#include <cstdlib>
#include <initializer_list>

#include "plugin/net/url.h"

namespace paceline::net {
namespace {

/// The first variable that is set to something.
std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool is_loopback(std::string_view host_key) {
  const std::string_view host = host_key.substr(0, host_key.rfind(':'));
  return host == "localhost" || host == "localhost." || host.ends_with(".localhost") || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

}  // namespace

NetworkOptions NetworkOptions::from_environment() {
  NetworkOptions options;
  options.https_proxy = environment({"https_proxy", "HTTPS_PROXY"});  // curl's order: lower case wins.
  options.http_proxy = environment({"http_proxy", "HTTP_PROXY"});
  options.no_proxy = environment({"no_proxy", "NO_PROXY"});
  options.ca_bundle = environment({"SSL_CERT_FILE"});
  return options;
}

std::string proxy_for(const NetworkOptions& options, std::string_view url) {
  const Result<std::string> host = host_key(url);
  if (!host || is_loopback(*host)) return {};
  return url.size() > 5 && (url[4] == 's' || url[4] == 'S') ? options.https_proxy : options.http_proxy;
}

}  // namespace paceline::net
