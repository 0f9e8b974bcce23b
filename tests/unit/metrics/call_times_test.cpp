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

TEST(CallTimes, AServersCallsAreTimedByMethod) {
  CallTimes calls;
  v1::Paceline::Service service;  // A server needs one.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.RegisterService(&service);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(calls.interceptor());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  const auto server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());

  EXPECT_TRUE(ask(channel, "/grpc.health.v1.Health/Check").ok());
  EXPECT_TRUE(ask(channel, "/grpc.health.v1.Health/Check").ok());
  EXPECT_EQ(ask(channel, "/made.up.Service/Name").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  server->Shutdown();

  const auto series = calls.series();
  EXPECT_EQ(series.size(), 1U) << "a client makes up no names";
  std::uint64_t count = 0;
  for (const auto bucket : series.at("/grpc.health.v1.Health/Check").counts()) count += bucket;
  EXPECT_EQ(count, 2U);
}

TEST(CallTimes, AMethodThatIsObservedByItsServerIsNotTimedTwice) {
  CallTimes calls;
  v1::Paceline::Service service;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.RegisterService(&service);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(calls.interceptor("/grpc.health.v1.Health/Check"));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  const auto server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  EXPECT_TRUE(ask(channel, "/grpc.health.v1.Health/Check").ok());
  server->Shutdown();
  EXPECT_TRUE(calls.series().empty());
}

}  // namespace
}  // namespace paceline::metrics
