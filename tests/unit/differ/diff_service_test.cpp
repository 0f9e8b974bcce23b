// The service over a real gRPC connection, with an applier that does as the test says.
#include "plugin/differ/diff_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <future>

#include "containerd/services/diff/v1/diff.grpc.pb.h"
#include "tests/support/temp_dir.h"

#ifdef __SANITIZE_THREAD__
// Debian's gRPC is not instrumented: TSan does not see how it hands memory from thread to thread. Accesses made *by*
// gRPC, protobuf and the standard library on its behalf are left out; one that our own code makes is still reported.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race_top:grpc\nrace_top:libgrpc\nrace_top:libgpr\nrace_top:google::protobuf\nrace_top:libprotobuf\n"
         "race_top:containerd::services\nrace_top:containerd::types\nrace_top:std::\nrace_top:operator new\n"
         "race_top:operator delete\nrace_top:malloc\nrace_top:free\nrace_top:memcpy\nrace_top:memmove\n"
         "called_from_lib:libgrpc.so\ncalled_from_lib:libgpr.so\n";
}
#endif

namespace paceline::differ {
namespace {

namespace api = ::containerd::services::diff::v1;

class ScriptedApplier final : public LayerApplier {
 public:
  Result<containerd::types::Descriptor> apply(const LayerToApply& what, std::stop_token stop) override {
    return script(what, std::move(stop));
  }
  std::function<Result<containerd::types::Descriptor>(const LayerToApply&, std::stop_token)> script;
};

class DiffServiceTest : public ::testing::Test {
 protected:
  DiffServiceTest() : service_(applier_) {
    grpc::ServerBuilder builder;
    const auto address = "unix:" + (dir_.path() / "socket").string();
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    service_.add_to(builder);
    server_ = builder.BuildAndStart();
    stub_ = api::Diff::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    request_.mutable_diff()->set_digest("sha256:compressed");
    request_.add_mounts()->set_source("/upper");
  }
  ~DiffServiceTest() override { server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5)); }

  test::TempDir dir_;
  ScriptedApplier applier_;
  DiffService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<api::Diff::Stub> stub_;
  api::ApplyRequest request_;
  api::ApplyResponse response_;
  grpc::ClientContext context_;
};

TEST_F(DiffServiceTest, ApplyAnswersWhatTheApplierDoes) {
  request_.set_sync_fs(true);
  applier_.script = [](const LayerToApply& what, const std::stop_token&) {
    EXPECT_EQ(what.layer.digest(), "sha256:compressed");
    EXPECT_EQ(what.mounts.at(0).source(), "/upper");
    EXPECT_TRUE(what.sync);
    containerd::types::Descriptor applied;
    applied.set_digest("sha256:plain");
    return applied;
  };
  ASSERT_TRUE(stub_->Apply(&context_, request_, &response_).ok());
  EXPECT_EQ(response_.applied().digest(), "sha256:plain");
}

TEST_F(DiffServiceTest, AnErrorKeepsItsCode) {
  applier_.script = [](const LayerToApply&, const std::stop_token&) -> Result<containerd::types::Descriptor> {
    return fail(Code::kUnimplemented, "an encrypted layer");
  };
  const auto status = stub_->Apply(&context_, request_, &response_);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "an encrypted layer");
}

TEST_F(DiffServiceTest, AClientThatGoesStopsTheApplier) {
  std::promise<void> begun;
  std::promise<void> stopped;
  applier_.script = [&](const LayerToApply&, const std::stop_token& stop) -> Result<containerd::types::Descriptor> {
    std::promise<void> asked;
    const std::stop_callback on_stop(stop, [&asked] { asked.set_value(); });
    begun.set_value();
    asked.get_future().wait();
    stopped.set_value();
    return fail(Code::kCancelled, "the client has gone");
  };
  auto call = std::async(std::launch::async, [this] { return stub_->Apply(&context_, request_, &response_); });
  begun.get_future().wait();
  context_.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  stopped.get_future().wait();
}

TEST_F(DiffServiceTest, MakingLayersIsLeftToContainerd) {
  api::DiffRequest request;
  api::DiffResponse response;
  EXPECT_EQ(stub_->Diff(&context_, request, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace paceline::differ
