#include "plugin/metrics/call_times.h"

#include <chrono>
#include <utility>

namespace paceline::metrics {
namespace {

namespace hooks = grpc::experimental;
using SteadyClock = std::chrono::steady_clock;

class CallTimer final : public hooks::Interceptor {
 public:
  CallTimer(CallTimes& times, const char* method) : times_(times), method_(method) {}

  void Intercept(hooks::InterceptorBatchMethods* batch) override {
    // A method that nobody serves has a name of the client's making: it gets no series.
    if (batch->QueryInterceptionHookPoint(hooks::InterceptionHookPoints::PRE_SEND_STATUS) &&
        batch->GetSendStatus().error_code() != grpc::StatusCode::UNIMPLEMENTED) {
      times_.observe(method_, std::chrono::duration<double>(SteadyClock::now() - begun_).count());
    }
    batch->Proceed();
  }

 private:
  CallTimes& times_;
  const std::string method_;
  const SteadyClock::time_point begun_ = SteadyClock::now();
};

class CallTimers final : public hooks::ServerInterceptorFactoryInterface {
 public:
  CallTimers(CallTimes& times, std::string observed_method)
      : times_(times), observed_method_(std::move(observed_method)) {}
  hooks::Interceptor* CreateServerInterceptor(hooks::ServerRpcInfo* call) override {
    if (call->method() == observed_method_) return nullptr;
    return new CallTimer(times_, call->method());  // gRPC's to delete.
  }

 private:
  CallTimes& times_;
  const std::string observed_method_;
};

}  // namespace

std::unique_ptr<hooks::ServerInterceptorFactoryInterface> CallTimes::interceptor(std::string observed_method) {
  return std::make_unique<CallTimers>(*this, std::move(observed_method));
}

void CallTimes::observe(const std::string& method, double seconds) {
  const std::lock_guard lock(mutex_);
  series_.try_emplace(method, kBounds).first->second.observe(seconds);
}

CallTimes::Series CallTimes::series() const {
  const std::lock_guard lock(mutex_);
  return series_;
}

}  // namespace paceline::metrics
