// The loopback HTTP endpoint for Prometheus and a node's health checks: /metrics, /healthz (the process answers) and
// /readyz (its gRPC server serves). Any user of the machine may ask: no image, credential or path of a file is in it.
// Beside them the pages of a status handler, which judges by itself who may see them.
// Thread rule: start, drain and destruction from one thread; set_ready from any. The handlers run on many threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "plugin/config/config.h"
#include "plugin/mirror/http_server.h"

namespace paceline::metrics {

class Endpoint {
 public:
  struct Handlers {
    std::function<std::string()> scrape;  ///< Answers the text of /metrics.
    mirror::Handler status;               ///< Answers GET and HEAD of / and /status.json.
  };
  /// What the handlers use lives as long as this does.
  static Result<std::unique_ptr<Endpoint>> start(const config::LoopbackAddress& address, Handlers handlers);

  [[nodiscard]] const config::LoopbackAddress& address() const { return server_->address(); }
  /// Not ready at the start.
  void set_ready(bool ready) { ready_ = ready; }
  /// See HttpServer::drain.
  bool drain(Duration grace) { return server_->drain(grace); }

 private:
  explicit Endpoint(Handlers handlers) : handlers_(std::move(handlers)) {}
  mirror::Response answer(const mirror::Request& request) const;

  const Handlers handlers_;
  std::atomic<bool> ready_ = false;
  std::unique_ptr<mirror::HttpServer> server_;  // Last: its threads use what stands above.
};

}  // namespace paceline::metrics
