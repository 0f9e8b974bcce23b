// The loopback HTTP endpoint for Prometheus and a node's health checks: /metrics, /healthz (the process answers) and
// /readyz (its gRPC server serves). Any user of the machine may ask: no image, credential or path of a file is in it.
// Thread rule: start, drain and destruction from one thread; set_ready from any. `scrape` is called on many threads.
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
  /// `scrape` answers the text of /metrics, and lives as long as this does.
  static Result<std::unique_ptr<Endpoint>> start(const config::LoopbackAddress& address,
                                                 std::function<std::string()> scrape);

  [[nodiscard]] const config::LoopbackAddress& address() const { return server_->address(); }
  /// Not ready at the start.
  void set_ready(bool ready) { ready_ = ready; }
  /// See HttpServer::drain.
  bool drain(Duration grace) { return server_->drain(grace); }

 private:
  explicit Endpoint(std::function<std::string()> scrape) : scrape_(std::move(scrape)) {}
  mirror::Response answer(const mirror::Request& request) const;

  const std::function<std::string()> scrape_;
  std::atomic<bool> ready_ = false;
  std::unique_ptr<mirror::HttpServer> server_;  // Last: its threads use what stands above.
};

}  // namespace paceline::metrics
