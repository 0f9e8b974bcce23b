#include "plugin/metrics/call_times.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <future>
#include <utility>
#include <vector>

#include "paceline/v1/paceline.grpc.pb.h"

namespace paceline::metrics {
namespace {

/// A unary call with an empty message.
grpc::Status ask(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(channel);
  grpc::ClientContext context;
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> ended;
  stub.UnaryCall(&context, method, {}, &request, &response,
                 [&](grpc::Status status) { ended.set_value(std::move(status)); });
  return ended.get_future().get();
}

/// A server that answers health checks, and whose calls are timed.
class TimedServer {
 public:
  explicit TimedServer(CallTimes& calls, const std::string& observed_method = {}) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.RegisterService(&service_);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(calls.interceptor(observed_method));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  }

  grpc::Status ask(const std::string& method) { return metrics::ask(channel_, method); }
  /// All calls have ended, and have been timed.
  void stop() { server_->Shutdown(); }

 private:
  v1::Paceline::Service service_;  // A server needs one.
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

constexpr const char* kCheck = "/grpc.health.v1.Health/Check";

TEST(CallTimes, AServersCallsAreTimedByMethod) {
  CallTimes calls;
  TimedServer server(calls);
  EXPECT_TRUE(server.ask(kCheck).ok());
  EXPECT_TRUE(server.ask(kCheck).ok());
  EXPECT_EQ(server.ask("/made.up.Service/Name").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  server.stop();

  const auto series = calls.series();
  EXPECT_EQ(series.size(), 1U) << "a client makes up no names";
  std::uint64_t count = 0;
  for (const auto bucket : series.at(kCheck).counts()) count += bucket;
  EXPECT_EQ(count, 2U);
}

TEST(CallTimes, AMethodThatIsObservedByItsServerIsNotTimedTwice) {
  CallTimes calls;
  TimedServer server(calls, kCheck);
  EXPECT_TRUE(server.ask(kCheck).ok());
  server.stop();
  EXPECT_TRUE(calls.series().empty());
}

}  // namespace
}  // namespace paceline::metrics
