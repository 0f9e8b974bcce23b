#include "plugin/mirror/mirror.h"

#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/mirror/paging.h"

namespace paceline::mirror {
namespace {

// The client is to ask the registry itself: see the header of this module.
Response own_trouble(const Route& route, const std::string& message) {
  const bool blob = route.kind == Route::Kind::kBlob;
  return error_response(404, blob ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN", "paceline: " + message);
}

Response document_response(const registry::Document& document) {
  Response response;
  const std::string digest = document.digest.to_string();
  response.headers.set("Content-Type", document.media_type);
  response.headers.set("Docker-Content-Digest", digest);
  response.headers.set("ETag", '"' + digest + '"');
  response.body = document.bytes;
  return response;
}

// The upstream's own words, unchanged: containerd answers the challenge of a 401 itself.
Response refusal_response(const Route& route, const registry::Refusal& refusal) {
  if (refusal.status < 400) return own_trouble(route, refusal.error.message);
  Response response;
  response.status = refusal.status;
  copy_end_to_end(refusal.headers, response.headers);
  response.body = refusal.body;
  return response;
}

int error_status(const Error& error) { return error.code == Code::kInvalidArgument ? 400 : 404; }

}  // namespace

Result<std::unique_ptr<Mirror>> Mirror::start(const config::LoopbackAddress& address, Upstream& upstream,
                                              net::NetworkThread& network, const Clock& clock, const Callers& callers,
                                              const ForwardLimits& limits) {
  std::unique_ptr<Mirror> mirror(new Mirror(upstream, network, clock, callers, limits));
  auto server =
      HttpServer::start(address, [own = mirror.get()](const Request& request) { return own->handle(request); });
  if (!server) return fail(server.error());
  mirror->server_ = std::move(*server);
  return mirror;
}

Mirror::Mirror(Upstream& upstream, net::NetworkThread& network, const Clock& clock, const Callers& callers,
               const ForwardLimits& limits)
    : upstream_(upstream), network_(network), callers_(callers), limits_(limits), cache_(clock) {}

void Mirror::reconfigure(const ForwardLimits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

ForwardLimits Mirror::limits() {
  const std::lock_guard lock(mutex_);
  return limits_;
}

Response Mirror::handle(const Request& request) {
  const auto began = std::chrono::steady_clock::now();
  Response response;
  std::string name = "?";
  if (!callers_.allowed(request.user)) {
    const std::string user = request.user ? "user " + std::to_string(*request.user) : "an unknown user";
    spdlog::warn("mirror: refused a request of {}: see mirror.allowed_uids", user);
    response = error_response(403, "DENIED",
                              "paceline: this mirror does not serve " + user +
                                  "; mirror.allowed_uids in its configuration says whom it serves");
  } else if (request.method != "GET" && request.method != "HEAD") {
    response = error_response(405, "UNSUPPORTED", "this mirror serves GET and HEAD only");
    response.headers.set("Allow", "GET, HEAD");
  } else if (const auto route = parse_route(request.target); !route) {
    response = error_response(error_status(route.error()), "NAME_UNKNOWN", "paceline: " + route.error().message);
  } else {
    if (route->kind != Route::Kind::kPing) name = route->registry + "/" + route->repository + " " + route->path;
    response = answer(request, *route);
  }
  response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  spdlog::debug("mirror: {} {} answered {} in {}", request.method, name, response.status,
                format_duration(std::chrono::steady_clock::now() - began));
  return response;
}

Response Mirror::answer(const Request& request, const Route& route) {
  if (route.kind == Route::Kind::kPing) {
    Response response;
    response.headers.set("Content-Type", "application/json");
    response.body = "{}";
    return response;
  }
  registry::Access access{.kind = registry::Access::Kind::kCaller,
                          .authorization = Secret(std::string(request.headers.get("Authorization")))};
  const auto repository = upstream_.open(route.registry, route.repository, std::move(access));
  if (route.kind == Route::Kind::kManifest) return manifest(request, route, repository);

  auto forwarded = forward(network_, *repository, request, route.path, limits());
  if (forwarded) {
    const std::string link(forwarded->headers.get("Link"));
    forwarded->headers.remove("Link");
    if (auto next = next_page(link, route); !next.empty()) forwarded->headers.set("Link", std::move(next));
    return std::move(*forwarded);
  }
  spdlog::warn("mirror: {}; the client is sent to the registry itself", forwarded.error().message);
  return own_trouble(route, forwarded.error().message);
}

Response Mirror::manifest(const Request& request, const Route& route,
                          const std::shared_ptr<registry::Repository>& repository) {
  auto answer = cache_.find(*repository, route.object);
  if (answer) {
    // Perhaps it is another pull than the one that it was fetched for.
    if (*answer) upstream_.asked_again(repository, route.object, **answer);
  } else {
    // Also for HEAD: the document says which layers to fetch, and the sooner they are, the better.
    answer = upstream_.document(repository, route.object);
    cache_.insert(*repository, route.object, *answer);
    if (!*answer && answer->error().status != 401) {
      spdlog::warn("mirror: {} {}: {}", request.method, route.registry + "/" + route.repository,
                   answer->error().error.message);
    }
  }
  return *answer ? document_response(**answer) : refusal_response(route, answer->error());
}

}  // namespace paceline::mirror
