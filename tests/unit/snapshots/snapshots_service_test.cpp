// The service over a real gRPC connection: codes, pages, and who waits for whom when a layer is asked for.
#include "plugin/snapshots/snapshots_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "containerd/services/snapshots/v1/snapshots.grpc.pb.h"
#include "plugin/snapshots/messages.h"
#include "tests/unit/snapshots/temp_snapshotter.h"

#ifdef __SANITIZE_THREAD__
// Debian's gRPC is not instrumented: TSan does not see how it hands memory from thread to thread. Accesses made *by*
// gRPC, protobuf and the standard library on its behalf are left out; one that our own code makes is still reported.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race_top:grpc\nrace_top:libgrpc\nrace_top:libgpr\nrace_top:google::protobuf\nrace_top:libprotobuf\n"
         "race_top:containerd::services\nrace_top:std::\nrace_top:operator new\nrace_top:operator delete\n"
         "race_top:malloc\nrace_top:free\nrace_top:memcpy\nrace_top:memmove\n"
         "called_from_lib:libgrpc.so\ncalled_from_lib:libgpr.so\n";
}
#endif

namespace paceline::snapshots {
namespace {

/// Keeps the questions until the test answers them.
class HeldProvider final : public LayerProvider {
 public:
  void request(const std::string& chain_id, TimePoint /*deadline*/, Answer answer) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(chain_id);
    if (known_.contains(chain_id)) {
      held_.push_back(std::move(answer));
      arrived_.notify_all();
    } else {
      answer(std::nullopt);
    }
  }

  void know(const std::string& chain_id) { known_.insert(chain_id); }

  Answer next_question() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !held_.empty(); });
    auto answer = std::move(held_.front());
    held_.erase(held_.begin());
    return answer;
  }

  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::set<std::string> known_;
  std::vector<std::string> asked_;
  std::vector<Answer> held_;
};

class SnapshotsServiceTest : public TempSnapshotter {
 public:
  ~SnapshotsServiceTest() override { server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5)); }

 protected:
  SnapshotsServiceTest() : service_(*snapshotter_, &provider_, std::chrono::seconds(1), clock_) {
    grpc::ServerBuilder builder;
    const auto address = "unix:" + (dir_.path() / "socket").string();
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    service_.add_to(builder);
    server_ = builder.BuildAndStart();
    stub_ = api::Snapshots::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }

  grpc::Status call_prepare(const std::string& key, const std::string& parent, const std::string& chain_id) {
    grpc::ClientContext context;
    api::PrepareSnapshotRequest request;
    request.set_key(key);
    request.set_parent(parent);
    if (!chain_id.empty()) (*request.mutable_labels())[kLayerLabel] = chain_id;
    mounts_.Clear();
    return stub_->Prepare(&context, request, &mounts_);
  }

  std::vector<std::string> call_list(const std::vector<std::string>& filters, int* pages = nullptr) {
    grpc::ClientContext context;
    api::ListSnapshotsRequest request;
    for (const auto& filter : filters) request.add_filters(filter);
    auto reader = stub_->List(&context, request);
    std::vector<std::string> names;
    api::ListSnapshotsResponse page;
    while (reader->Read(&page)) {
      if (pages != nullptr) ++*pages;
      for (const auto& info : page.info()) names.push_back(info.name());
    }
    list_status_ = reader->Finish();
    return names;
  }

  HeldProvider provider_;
  SnapshotsService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<api::Snapshots::Stub> stub_;
  api::PrepareSnapshotResponse mounts_;
  grpc::Status list_status_;
};

TEST_F(SnapshotsServiceTest, AnswersAsTheSnapshotterDoes) {
  ASSERT_TRUE(call_prepare("a", "", "").ok());
  ASSERT_EQ(mounts_.mounts_size(), 1);
  EXPECT_EQ(mounts_.mounts(0).type(), "bind");
  EXPECT_EQ(mounts_.mounts(0).source(), files(1));
  EXPECT_EQ(call_prepare("a", "", "").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(call_prepare("b", "none", "").error_code(), grpc::StatusCode::NOT_FOUND);

  grpc::ClientContext context;
  api::StatSnapshotRequest request;
  request.set_key("a");
  api::StatSnapshotResponse response;
  ASSERT_TRUE(stub_->Stat(&context, request, &response).ok());
  EXPECT_EQ(response.info().name(), "a");
  EXPECT_EQ(response.info().kind(), api::ACTIVE);
  EXPECT_GT(response.info().created_at().seconds(), 0);
}

TEST_F(SnapshotsServiceTest, ListsInPages) {
  EXPECT_TRUE(call_list({}).empty());
  EXPECT_TRUE(list_status_.ok());
  for (int i = 0; i < 101; ++i) prepare("key-" + std::to_string(i));
  int pages = 0;
  EXPECT_EQ(call_list({}, &pages).size(), 101U);
  EXPECT_EQ(pages, 2);
  call_list({"name=="});
  EXPECT_EQ(list_status_.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(SnapshotsServiceTest, ALayerThatNobodyHasIsPrepared) {
  ASSERT_TRUE(call_prepare("a", "", "sha256:unknown").ok());
  EXPECT_EQ(mounts_.mounts_size(), 1);
  EXPECT_THAT(provider_.asked(), ::testing::ElementsAre("sha256:unknown"));
}

TEST_F(SnapshotsServiceTest, ALayerIsAdoptedAndFoundByItsLabel) {
  provider_.know("sha256:one");
  auto prepared = std::async(std::launch::async, [this] { return call_prepare("a", "", "sha256:one"); });
  auto answer = provider_.next_question();
  // Other calls do not wait for it.
  EXPECT_TRUE(call_list({}).empty());
  answer(unpacked("one"));
  EXPECT_EQ(prepared.get().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(call_list({R"(labels."containerd.io/snapshot.ref"==sha256:one,parent=="")"}),
              ::testing::ElementsAre("sha256:one/1"));
  // The next namespace gets the same one, without a question.
  EXPECT_EQ(call_prepare("b", "", "sha256:one").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(provider_.asked().size(), 1U);
}

TEST_F(SnapshotsServiceTest, ALayerThatDoesNotComeInTimeIsPrepared) {
  provider_.know("sha256:one");
  auto prepared = std::async(std::launch::async, [this] { return call_prepare("a", "", "sha256:one"); });
  provider_.next_question()(std::nullopt);
  EXPECT_TRUE(prepared.get().ok());
  EXPECT_EQ(snapshotter_->stat("a")->kind, Kind::kActive);
}

TEST_F(SnapshotsServiceTest, OfTwoThatWaitForALayerBothGetIt) {
  provider_.know("sha256:one");
  auto first = std::async(std::launch::async, [this] { return call_prepare("a", "", "sha256:one").error_code(); });
  auto answer = provider_.next_question();
  std::promise<grpc::StatusCode> second;
  std::thread other([&] {
    grpc::ClientContext context;
    api::PrepareSnapshotRequest request;
    api::PrepareSnapshotResponse response;
    request.set_key("b");
    (*request.mutable_labels())[kLayerLabel] = "sha256:one";
    second.set_value(stub_->Prepare(&context, request, &response).error_code());
  });
  auto other_answer = provider_.next_question();
  answer(unpacked("one"));
  EXPECT_EQ(first.get(), grpc::StatusCode::ALREADY_EXISTS);
  other_answer(std::nullopt);  // It has been given away.
  EXPECT_EQ(second.get_future().get(), grpc::StatusCode::ALREADY_EXISTS);
  other.join();
}

TEST_F(SnapshotsServiceTest, AHandoverThatFailsIsNotContainerdsProblem) {
  provider_.know("sha256:one");
  auto prepared = std::async(std::launch::async, [this] { return call_prepare("a", "", "sha256:one"); });
  provider_.next_question()(UnpackedLayer{dir_.path() / "nowhere", std::nullopt});
  EXPECT_TRUE(prepared.get().ok());
}

}  // namespace
}  // namespace paceline::snapshots
