#include "plugin/metrics/endpoint.h"

#include <string_view>
#include <utility>

namespace paceline::metrics {
namespace {

// A scraper and a few probes, one connection each; strangers on the machine must not make the daemon start threads.
constexpr unsigned kConnections = 16;

mirror::Response text(int status, std::string body, std::string type = "text/plain") {
  mirror::Response response;
  response.status = status;
  response.headers.set("Content-Type", std::move(type));
  response.body = std::move(body);
  return response;
}

}  // namespace

Result<std::unique_ptr<Endpoint>> Endpoint::start(const config::LoopbackAddress& address, Handlers handlers) {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(std::move(handlers)));
  auto server = mirror::HttpServer::start(
      address, [raw = endpoint.get()](const mirror::Request& request) { return raw->answer(request); },
      {.connections = kConnections});
  if (!server) return fail(server.error());
  endpoint->server_ = std::move(*server);
  return endpoint;
}

mirror::Response Endpoint::answer(const mirror::Request& request) const {
  if (request.method != "GET" && request.method != "HEAD") {
    auto refused = text(405, "only GET and HEAD\n");
    refused.headers.set("Allow", "GET, HEAD");
    return refused;
  }
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (path == "/metrics") return text(200, handlers_.scrape(), "text/plain; version=0.0.4");
  if (path == "/healthz") return text(200, "ok\n");
  if (path == "/readyz") return ready_ ? text(200, "ok\n") : text(503, "not serving\n");
  if (path == "/" || path == "/status.json") return handlers_.status(request);
  return text(404, "there are /metrics, /healthz, /readyz, / and /status.json\n");
}

}  // namespace paceline::metrics
