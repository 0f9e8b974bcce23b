// The loopback registry mirror: containerd asks it for manifests (hosts.toml), it asks the registry with the caller's
// own rights, and on the way the pull manager starts to fetch the layers.
//
// What a caller gets is always what the upstream answered to that caller's Authorization; the daemon's credentials are
// never used here. Where the mirror itself has trouble it answers 404: every containerd then asks the registry itself
// (1.6 and later move on after any status of 400 and above, older ones after 404 only; remotes/docker/resolver.go).
//
// Thread rule: start, drain and destruction from one thread. Borrows its services. Destroy it after
// NetworkThread::shut_down() and before the network thread.
#pragma once

#include <memory>
#include <mutex>

#include "plugin/base/clock.h"
#include "plugin/config/config.h"
#include "plugin/mirror/callers.h"
#include "plugin/mirror/document_cache.h"
#include "plugin/mirror/forward.h"
#include "plugin/mirror/http_server.h"
#include "plugin/mirror/route.h"
#include "plugin/mirror/upstream.h"

namespace paceline::mirror {

class Mirror {
 public:
  static Result<std::unique_ptr<Mirror>> start(const config::LoopbackAddress& address, Upstream& upstream,
                                               net::NetworkThread& network, const Clock& clock,
                                               const Callers& callers = Callers(), const ForwardLimits& limits = {});

  [[nodiscard]] const config::LoopbackAddress& address() const { return server_->address(); }
  /// See HttpServer::drain.
  bool drain(Duration grace) { return server_->drain(grace); }
  /// For requests from now on. Any thread.
  void reconfigure(const ForwardLimits& limits);

 private:
  Mirror(Upstream& upstream, net::NetworkThread& network, const Clock& clock, const Callers& callers,
         const ForwardLimits& limits);

  Response handle(const Request& request);
  Response answer(const Request& request, const Route& route);
  ForwardLimits limits();
  Response manifest(const Request& request, const Route& route,
                    const std::shared_ptr<registry::Repository>& repository);

  Upstream& upstream_;
  net::NetworkThread& network_;
  const Callers callers_;
  std::mutex mutex_;  // Guards limits_.
  ForwardLimits limits_;
  DocumentCache cache_;
  std::unique_ptr<HttpServer> server_;  // Last: its threads use what stands above.
};

}  // namespace paceline::mirror
