// How long gRPC calls took that the daemon answered, by method, from the call's begin to its status.
//
// Calls answered UNIMPLEMENTED are left out, so that clients cannot make names up. Thread rule:
// any thread. It outlives the server that its interceptor is given to.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "plugin/metrics/histogram.h"

namespace paceline::metrics {

class CallTimes {
 public:
  /// A Write of containerd's lasts as long as the download that it waits for.
  static constexpr std::array kBounds = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,  0.5,
                                         1.0,   2.5,   5.0,  10.0,  30.0, 60.0, 300.0, 1800.0};
  /// By "/package.Service/Method".
  using Series = std::map<std::string, Histogram>;

  /// For grpc::ServerBuilder: one a call, which times it; but for calls of `observed_method`, whose server observes
  /// them by itself.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> interceptor(std::string observed_method = {});

  void observe(const std::string& method, double seconds);
  [[nodiscard]] Series series() const;

 private:
  mutable std::mutex mutex_;
  Series series_;
};

}  // namespace paceline::metrics
