// The service over a real gRPC connection: what a client sees, and what happens when it goes away.
#include "plugin/content/content_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "plugin/content/messages.h"
#include "tests/support/temp_dir.h"

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

namespace paceline::content {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

using WriteCall = grpc::ClientReaderWriter<api::WriteContentRequest, api::WriteContentResponse>;

class ContentServiceTest : public ::testing::Test {
 protected:
  ContentServiceTest() {
    store::StoreOptions options;
    options.content = dir_.path() / "content";
    options.free_floor = 0;
    auto store = store::Store::open(options, clock_);
    EXPECT_TRUE(store.has_value());
    store_ = std::move(*store);
    service_ = std::make_unique<ContentService>(*store_, flights_, clock_, nullptr,
                                                [this](std::chrono::nanoseconds took) { timed_ += took.count() > 0; });
    grpc::ServerBuilder builder;
    const auto address = "unix:" + (dir_.path() / "socket").string();
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    service_->add_to(builder);
    server_ = builder.BuildAndStart();
    stub_ = api::Content::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }
  ~ContentServiceTest() override { server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5)); }

  std::string put(const std::string& blob, store::Visibility visibility = store::Visibility::kListed) {
    EXPECT_TRUE(store_->put_hidden(sha256(blob), blob, store::Purpose::kForeground));
    if (visibility == store::Visibility::kListed) {
      EXPECT_TRUE(store_->adopt(sha256(blob)));
    }
    return sha256(blob).to_string();
  }
  grpc::Status info(const std::string& digest, api::InfoResponse* response) {
    grpc::ClientContext context;
    api::InfoRequest request;
    request.set_digest(digest);
    return stub_->Info(&context, request, response);
  }
  grpc::Status read(const std::string& digest, std::int64_t offset, std::int64_t size, std::string* data) {
    grpc::ClientContext context;
    api::ReadContentRequest request;
    request.set_digest(digest);
    request.set_offset(offset);
    request.set_size(size);
    const auto stream = stub_->Read(&context, request);
    api::ReadContentResponse response;
    data->clear();
    while (stream->Read(&response)) {
      EXPECT_EQ(response.offset(), static_cast<std::int64_t>(data->size()));
      *data += response.data();
    }
    return stream->Finish();
  }
  std::vector<std::string> list(const std::vector<std::string>& filters, grpc::Status* status = nullptr) {
    grpc::ClientContext context;
    api::ListContentRequest request;
    for (const auto& filter : filters) request.add_filters(filter);
    const auto stream = stub_->List(&context, request);
    api::ListContentResponse response;
    std::vector<std::string> digests;
    while (stream->Read(&response)) {
      for (const auto& info : response.info()) digests.push_back(info.digest());
    }
    const auto outcome = stream->Finish();
    if (status != nullptr) *status = outcome;
    return digests;
  }
  grpc::Status status(const std::string& ref, api::StatusResponse* response) {
    grpc::ClientContext context;
    api::StatusRequest request;
    request.set_ref(ref);
    return stub_->Status(&context, request, response);
  }
  grpc::Status abort(const std::string& ref) {
    grpc::ClientContext context;
    api::AbortRequest request;
    request.set_ref(ref);
    google::protobuf::Empty response;
    return stub_->Abort(&context, request, &response);
  }
  grpc::Status remove(const std::string& digest) {
    grpc::ClientContext context;
    api::DeleteContentRequest request;
    request.set_digest(digest);
    google::protobuf::Empty response;
    return stub_->Delete(&context, request, &response);
  }
  static bool stat(WriteCall& call, api::WriteContentResponse* response, const std::string& ref = "",
                   std::size_t total = 0) {
    api::WriteContentRequest request;
    request.set_ref(ref);
    request.set_total(static_cast<std::int64_t>(total));
    return call.Write(request) && call.Read(response);
  }
  static bool commit(WriteCall& call, api::WriteContentResponse* response, const std::string& expected) {
    api::WriteContentRequest request;
    request.set_action(api::COMMIT);
    request.set_expected(expected);
    return call.Write(request) && call.Read(response);
  }
  /// Until somebody else's stream has let go of the reference.
  void wait_until_free(const std::string& ref) {
    for (;;) {
      grpc::ClientContext context;
      const auto call = stub_->Write(&context);
      api::WriteContentResponse response;
      const bool opened = stat(*call, &response, ref);
      call->WritesDone();
      const auto outcome = call->Finish();
      if (opened) return;
      ASSERT_EQ(outcome.error_code(), grpc::StatusCode::UNAVAILABLE) << outcome.error_message();
    }
  }

  test::TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<store::Store> store_;
  pull::FlightTable flights_;
  std::atomic<unsigned> timed_ = 0;  // Reads.
  std::unique_ptr<ContentService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<api::Content::Stub> stub_;
  // Three messages, or two.
  const std::string blob_ = std::string(kThreadSanitizer ? 1'100'000 : 3'000'000, 'b');
  const std::int64_t size_ = static_cast<std::int64_t>(blob_.size());
  const Digest digest_ = sha256(blob_);
  const std::string ref_ = "default/1/layer-" + digest_.to_string();
};

TEST_F(ContentServiceTest, InfoAdoptsWhatIsHidden) {
  const auto digest = put("hidden", store::Visibility::kHidden);
  EXPECT_TRUE(list({}).empty());
  api::InfoResponse response;
  ASSERT_TRUE(info(digest, &response).ok());
  EXPECT_EQ(response.info().digest(), digest);
  EXPECT_EQ(response.info().size(), 6);
  EXPECT_GT(response.info().created_at().seconds(), 0);
  EXPECT_EQ(list({}), std::vector{digest});
}

TEST_F(ContentServiceTest, InfoDoesNotKnowWhatIsInFlight) {
  flights_.take_off(digest_, blob_.size());
  api::InfoResponse response;
  EXPECT_EQ(info(digest_.to_string(), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(info("sha256:nonsense", &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ContentServiceTest, ReadsAnyRange) {
  if (kThreadSanitizer) GTEST_SKIP() << "TSan looks at each byte of gRPC's buffers, for minutes";
  std::string blob(2'500'000, '\0');
  for (std::size_t i = 0; i < blob.size(); ++i) blob[i] = static_cast<char>(i * 7 + i / 251);
  const auto digest = put(blob);
  std::string data;
  ASSERT_TRUE(read(digest, 0, 0, &data).ok());
  EXPECT_TRUE(data == blob);
  ASSERT_TRUE(read(digest, 1'000'000, 32'768, &data).ok());
  EXPECT_TRUE(data == blob.substr(1'000'000, 32'768));
  ASSERT_TRUE(read(digest, 2'400'000, 1 << 20, &data).ok());
  EXPECT_TRUE(data == blob.substr(2'400'000));
  ASSERT_TRUE(read(digest, -5, 10, &data).ok());
  EXPECT_TRUE(data == blob.substr(0, 10));
  ASSERT_TRUE(read(digest, 2'500'000, 10, &data).ok());
  EXPECT_TRUE(data.empty());
  EXPECT_EQ(read(digest, 2'500'001, 1, &data).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(read(digest_.to_string(), 0, 1, &data).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(read("x", 0, 1, &data).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (int i = 0; i < 500 && timed_ < 8; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(timed_, 8U);
}

TEST_F(ContentServiceTest, ListsInPagesWithFilters) {
  std::vector<std::string> digests;
  for (int i = 0; i < 250; ++i) digests.push_back(put("blob " + std::to_string(i)));
  put("hidden", store::Visibility::kHidden);
  auto listed = list({});
  std::ranges::sort(listed);
  auto all = digests;
  std::ranges::sort(all);
  EXPECT_EQ(listed, all);
  EXPECT_EQ(list({"digest==" + digests[7]}), std::vector{digests[7]});
  ASSERT_TRUE(store_->set_labels(*Digest::parse(digests[9]), {{"a.b/c", "x"}}));
  EXPECT_EQ(list({R"(labels."a.b/c"==x)"}), std::vector{digests[9]});
  grpc::Status status;
  list({"digest=~x"}, &status);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ContentServiceTest, UpdatesLabelsByMask) {
  const auto digest = put("labelled");
  const auto update = [&](const std::map<std::string, std::string>& labels, const std::vector<std::string>& paths,
                          api::UpdateResponse* response) {
    grpc::ClientContext context;
    api::UpdateRequest request;
    request.mutable_info()->set_digest(digest);
    request.mutable_info()->mutable_labels()->insert(labels.begin(), labels.end());
    for (const auto& path : paths) request.mutable_update_mask()->add_paths(path);
    response->Clear();
    return stub_->Update(&context, request, response).error_code();
  };
  const auto labels = [](const api::UpdateResponse& response) {
    return std::map<std::string, std::string>(response.info().labels().begin(), response.info().labels().end());
  };
  using Map = std::map<std::string, std::string>;
  api::UpdateResponse response;
  EXPECT_EQ(update({{"a", "1"}, {"b", "2"}}, {}, &response), grpc::StatusCode::OK);
  EXPECT_EQ(labels(response), (Map{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(update({{"a", "9"}, {"c", "3"}, {"d", "4"}}, {"labels.b", "labels.c"}, &response), grpc::StatusCode::OK);
  EXPECT_EQ(labels(response), (Map{{"a", "1"}, {"c", "3"}}));
  EXPECT_EQ(update({{"z", "1"}}, {"labels"}, &response), grpc::StatusCode::OK);
  EXPECT_EQ(labels(response), (Map{{"z", "1"}}));
  EXPECT_EQ(update({}, {"size"}, &response), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(update({{"k", std::string(5000, 'v')}}, {}, &response), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ContentServiceTest, RemovingWhatIsMissingIsFine) {
  EXPECT_TRUE(remove(digest_.to_string()).ok());
  EXPECT_TRUE(abort("nobody's").ok());
  EXPECT_TRUE(remove(put("there")).ok());
  EXPECT_TRUE(list({}).empty());
  const auto hidden = put("hidden", store::Visibility::kHidden);
  EXPECT_TRUE(remove(hidden).ok());
  EXPECT_TRUE(store_->find(*Digest::parse(hidden)));  // Not containerd's to delete.
}

TEST_F(ContentServiceTest, AHeldStatIsAnsweredByTheLanding) {
  flights_.take_off(digest_, blob_.size());
  grpc::ClientContext context;
  const auto call = stub_->Write(&context);
  api::WriteContentResponse response;
  ASSERT_TRUE(stat(*call, &response, ref_, blob_.size()));
  EXPECT_EQ(response.offset(), 0);

  flights_.progress(digest_, 1234);
  api::StatusResponse progress;
  ASSERT_TRUE(status(ref_, &progress).ok());
  EXPECT_EQ(progress.status().offset(), 1234);
  EXPECT_EQ(progress.status().total(), size_);
  flights_.progress(digest_, 5678);
  ASSERT_TRUE(status(ref_, &progress).ok());
  EXPECT_EQ(progress.status().offset(), 5678);
  {
    grpc::ClientContext list_context;
    api::ListStatusesRequest request;
    request.add_filters("ref~=layer");
    api::ListStatusesResponse statuses;
    ASSERT_TRUE(stub_->ListStatuses(&list_context, request, &statuses).ok());
    ASSERT_EQ(statuses.statuses_size(), 1);
    EXPECT_EQ(statuses.statuses(0).ref(), ref_);
  }

  std::thread landing([&] {
    put(blob_, store::Visibility::kHidden);
    flights_.land(digest_, {});
  });
  ASSERT_TRUE(stat(*call, &response));
  landing.join();
  EXPECT_EQ(response.offset(), size_);
  ASSERT_TRUE(commit(*call, &response, digest_.to_string()));
  EXPECT_TRUE(call->Finish().ok());
  EXPECT_EQ(list({}), std::vector{digest_.to_string()});
  EXPECT_EQ(status(ref_, &progress).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ContentServiceTest, AWriteWhoseInfoDidNotGetThroughIsSentBackToAskAgain) {
  // As containerd: whatever the error of its Info, it opens a Write; told that the reference is taken, it asks both
  // again.
  const auto listed = put(blob_);
  {
    grpc::ClientContext context;
    const auto call = stub_->Write(&context);
    api::WriteContentResponse response;
    EXPECT_FALSE(stat(*call, &response, ref_, blob_.size()));
    call->WritesDone();
    EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  api::InfoResponse found;
  EXPECT_TRUE(info(listed, &found).ok());
  // One that asks no Info, since its namespaces share nothing, opens its Write in the end.
  wait_until_free(ref_);
}

TEST_F(ContentServiceTest, AClientThatLeavesAHeldStatGivesTheReferenceBack) {
  flights_.take_off(digest_, blob_.size());
  {
    grpc::ClientContext context;
    const auto call = stub_->Write(&context);
    api::WriteContentResponse response;
    ASSERT_TRUE(stat(*call, &response, ref_, blob_.size()));
    call->Write({});  // The second STAT.
    context.TryCancel();
    EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  wait_until_free(ref_);
  EXPECT_TRUE(flights_.find(digest_));
  flights_.land(digest_, fail(Code::kUnavailable, "nobody listens"));
}

TEST_F(ContentServiceTest, AbortDropsAVirtualIngestAndAPlainOne) {
  flights_.take_off(digest_, blob_.size());
  for (const std::string& ref : {ref_, std::string("plain")}) {
    grpc::ClientContext context;
    const auto call = stub_->Write(&context);
    api::WriteContentResponse response;
    ASSERT_TRUE(stat(*call, &response, ref));
    ASSERT_TRUE(abort(ref).ok());
    EXPECT_FALSE(call->Read(&response));
    EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::ABORTED);
    api::StatusResponse gone;
    EXPECT_EQ(status(ref, &gone).error_code(), grpc::StatusCode::NOT_FOUND);
  }
  EXPECT_TRUE(store_->ingests().empty());
  EXPECT_TRUE(flights_.find(digest_));
}

// containerd's proxy half-closes a stream and opens the next one without waiting for the end of the first.
TEST_F(ContentServiceTest, AStreamReopenedAtOnceGetsItsReference) {
  int at_once = 0;
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    const auto call = stub_->Write(&context);
    api::WriteContentResponse response;
    ASSERT_TRUE(stat(*call, &response, "again")) << i << ": " << call->Finish().error_message();
    call->WritesDone();
    grpc::ClientContext next_context;
    const auto next = stub_->Write(&next_context);
    const bool opened = stat(*next, &response, "again");
    if (opened) ++at_once;
    next->WritesDone();
    EXPECT_TRUE(call->Finish().ok());
    EXPECT_EQ(next->Finish().error_code(), opened ? grpc::StatusCode::OK : grpc::StatusCode::UNAVAILABLE);
    wait_until_free("again");
  }
  EXPECT_GT(at_once, 0);  // All of them, but on a machine that stalls for half a second.
}

TEST_F(ContentServiceTest, CancelledReadsAndShutdownWithHeldStreamsLeaveNothing) {
  const auto digest = put(blob_);
  for (int i = 0; i < (kThreadSanitizer ? 2 : 20); ++i) {
    grpc::ClientContext context;
    api::ReadContentRequest request;
    request.set_digest(digest);
    const auto stream = stub_->Read(&context, request);
    api::ReadContentResponse response;
    if (i % 2 == 0) stream->Read(&response);
    context.TryCancel();
    stream->Finish();
  }
  const auto other = sha256("never");
  flights_.take_off(other, 5);
  grpc::ClientContext context;
  const auto call = stub_->Write(&context);
  api::WriteContentResponse response;
  ASSERT_TRUE(stat(*call, &response, "default/1/layer-" + other.to_string(), 5));
  call->Write({});
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_FALSE(call->Read(&response));
  EXPECT_FALSE(call->Finish().ok());
}

// Many clients hold, leave, abort and commit while flights land well and badly: run under the sanitizers.
TEST_F(ContentServiceTest, SurvivesEverybodyAtOnce) {
  constexpr int kBlobs = 24;
  std::vector<std::string> blobs;
  for (int i = 0; i < kBlobs; ++i) blobs.push_back("blob " + std::to_string(i) + std::string(1000, '.'));
  for (const auto& blob : blobs) flights_.take_off(sha256(blob), blob.size());
  std::atomic<int> next_blob{0};
  const auto client = [&](int number) {
    for (int i = next_blob++; i < kBlobs * 2; i = next_blob++) {
      const auto& blob = blobs[static_cast<std::size_t>(i % kBlobs)];
      const auto digest = sha256(blob).to_string();
      const auto ref = "n" + std::to_string(i / kBlobs) + "/1/layer-" + digest;
      grpc::ClientContext context;
      const auto call = stub_->Write(&context);
      api::WriteContentResponse response;
      if (stat(*call, &response, ref, blob.size())) {
        call->Write({});
        if (i % 5 == 0) context.TryCancel();
        if (i % 7 == 0) {
          EXPECT_TRUE(abort(ref).ok());
        }
        if (call->Read(&response) && static_cast<std::size_t>(response.offset()) == blob.size()) {
          commit(*call, &response, digest);
        }
      }
      call->WritesDone();
      call->Finish();
      api::InfoResponse ignored;
      info(digest, &ignored);
      list({"digest~=" + std::to_string(number)});
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back(client, i);
  for (int i = 0; i < kBlobs; ++i) {
    const auto& blob = blobs[static_cast<std::size_t>(i)];
    if (i % 3 == 0) {
      flights_.land(sha256(blob), fail(Code::kUnavailable, "upstream is gone"));
    } else {
      put(blob, store::Visibility::kHidden);
      flights_.land(sha256(blob), {});
    }
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < kBlobs; ++i) {
    EXPECT_EQ(i % 3 != 0, store_->find(sha256(blobs[static_cast<std::size_t>(i)])).has_value());
  }
}

}  // namespace
}  // namespace paceline::content
