#include "plugin/api/paceline_service.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <thread>

#include "plugin/base/files.h"
#include "tests/unit/api/api_server.h"

namespace paceline::api {
namespace {

using grpc::StatusCode;

class PacelineServiceTest : public testing::Test {
 protected:
  template <class Request, class Response>
  grpc::Status call(grpc::Status (v1::Paceline::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    return ((*api.stub).*method)(&context, request, &response);
  }

  /// Ends once the pulls are over, so a wait for events is a read.
  std::vector<v1::Pull> prefetch(const v1::PrefetchRequest& request, grpc::Status& status) {
    grpc::ClientContext context;
    const auto reader = api.stub->Prefetch(&context, request);
    std::vector<v1::Pull> pulls;
    v1::PullEvent event;
    while (reader->Read(&event)) pulls.push_back(event.pull());
    status = reader->Finish();
    return pulls;
  }

  /// Until the service, on its own threads, has come so far.
  static void eventually(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  test::ApiServer api;
};

TEST_F(PacelineServiceTest, PrefetchWithoutWaitAnswersTheIds) {
  v1::PrefetchRequest request;
  request.add_images("redis");
  request.add_images("host:5000/team/app:1");
  request.add_images("docker.io/library/redis:latest");
  request.set_platform("linux/arm64");
  request.set_pin(true);
  grpc::Status status;
  const auto pulls = prefetch(request, status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(pulls.size(), 2U);
  EXPECT_EQ(pulls[0].image(), "docker.io/library/redis:latest");
  EXPECT_EQ(pulls[1].image(), "host:5000/team/app:1");
  const auto requests = api.pulls.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_TRUE(requests[0].pin);
  EXPECT_EQ(requests[1].platform->architecture, "arm64");
}

TEST_F(PacelineServiceTest, PrefetchQueuesNothingWhenOneImageIsMalformed) {
  v1::PrefetchRequest request;
  request.add_images("redis");
  request.add_images("UPPER");
  grpc::Status status;
  prefetch(request, status);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(api.pulls.requests().empty());
  request.clear_images();
  prefetch(request, status);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  request.add_images("redis");
  request.set_platform("no/such/platform/at/all");
  prefetch(request, status);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(PacelineServiceTest, PrefetchReportsUntilTheLastImageIsOver) {
  v1::PrefetchRequest request;
  request.add_images("redis");
  request.add_images("alpine");
  request.set_wait(true);
  grpc::ClientContext context;
  const auto reader = api.stub->Prefetch(&context, request);
  v1::PullEvent event;
  std::set<std::string> seen;
  while (seen.size() < 2 && reader->Read(&event)) seen.insert(event.pull().pull_id());
  ASSERT_EQ(seen.size(), 2U);
  api.pulls.change("pull-1", [](auto& pull) {
    pull.state = pull::PullState::kFailed;
    pull.finished = pull.started;
    pull.error = Error{Code::kNotFound, "no such image"};
  });
  api.pulls.finish("pull-2");
  std::map<std::string, v1::Pull> last;
  while (reader->Read(&event)) last[event.pull().pull_id()] = event.pull();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(last["pull-1"].state(), v1::PULL_STATE_FAILED);
  EXPECT_EQ(last["pull-1"].error().message(), "no such image");
  EXPECT_EQ(last["pull-2"].state(), v1::PULL_STATE_DONE);
}

TEST_F(PacelineServiceTest, AClientThatGoesLeavesItsPulls) {
  v1::PrefetchRequest request;
  request.add_images("redis");
  request.set_wait(true);
  {
    grpc::ClientContext context;
    const auto reader = api.stub->Prefetch(&context, request);
    v1::PullEvent event;
    ASSERT_TRUE(reader->Read(&event));
    context.TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
  }
  // The next call goes through the same threads: by its end the cancel has long been seen.
  request.set_wait(false);
  grpc::Status status;
  prefetch(request, status);
  EXPECT_EQ(api.pulls.find("pull-1")->state, pull::PullState::kQueued);
}

TEST_F(PacelineServiceTest, AClientThatGoesTakesItsPullsAlongWhenItSaidSo) {
  v1::PrefetchRequest request;
  request.add_images("redis");
  request.add_images("alpine");
  request.set_wait(true);
  request.set_cancel_on_disconnect(true);
  grpc::ClientContext context;
  const auto reader = api.stub->Prefetch(&context, request);
  v1::PullEvent event;
  ASSERT_TRUE(reader->Read(&event));
  context.TryCancel();
  reader->Finish();
  for (const auto* id : {"pull-1", "pull-2"}) {
    eventually([&] { return api.pulls.find(id)->state == pull::PullState::kCancelled; });
  }
}

TEST_F(PacelineServiceTest, StoppingEndsStreamsAndCancelsNothing) {
  v1::PrefetchRequest request;
  request.add_images("redis");
  request.set_wait(true);
  request.set_cancel_on_disconnect(true);
  grpc::ClientContext context;
  const auto reader = api.stub->Prefetch(&context, request);
  v1::PullEvent event;
  ASSERT_TRUE(reader->Read(&event));
  api.service->stop();
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(api.pulls.find("pull-1")->state, pull::PullState::kQueued);
}

TEST_F(PacelineServiceTest, TooManyWatchersAreRefused) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::PullEvent>>> readers;
  api.pulls.start_prefetch({*oci::Reference::parse("redis"), {}, false, {}});
  for (std::size_t i = 0; i < Progress::kMaxStreams; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(api.stub->WatchPull(contexts.back().get(), {}));
    v1::PullEvent event;
    ASSERT_TRUE(readers.back()->Read(&event));
  }
  grpc::ClientContext context;
  const auto reader = api.stub->WatchPull(&context, {});
  v1::PullEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  for (auto& one : contexts) one->TryCancel();
  for (auto& one : readers) {
    while (one->Read(&event)) {
    }
    one->Finish();
  }
}

TEST_F(PacelineServiceTest, WatchingAnUnknownPullFails) {
  v1::WatchPullRequest request;
  request.add_pull_ids("none");
  grpc::ClientContext context;
  const auto reader = api.stub->WatchPull(&context, request);
  v1::PullEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(PacelineServiceTest, PullsAreListedFoundAndCancelled) {
  const auto redis = api.pulls.start_prefetch({*oci::Reference::parse("redis"), {}, false, {}});
  const auto alpine = api.pulls.start_prefetch({*oci::Reference::parse("alpine"), {}, false, {}});
  api.pulls.finish(redis);
  v1::ListPullsResponse list;
  v1::ListPullsRequest request;
  ASSERT_TRUE(call(&v1::Paceline::Stub::ListPulls, request, list).ok());
  ASSERT_EQ(list.pulls_size(), 1);
  EXPECT_EQ(list.pulls(0).pull_id(), alpine);
  request.set_include_finished(true);
  ASSERT_TRUE(call(&v1::Paceline::Stub::ListPulls, request, list).ok());
  EXPECT_EQ(list.pulls_size(), 2);

  v1::Pull pull;
  v1::GetPullRequest get;
  get.set_pull_id(redis);
  ASSERT_TRUE(call(&v1::Paceline::Stub::GetPull, get, pull).ok());
  EXPECT_EQ(pull.state(), v1::PULL_STATE_DONE);
  get.set_pull_id("none");
  EXPECT_EQ(call(&v1::Paceline::Stub::GetPull, get, pull).error_code(), StatusCode::NOT_FOUND);
  get.set_pull_id("");
  EXPECT_EQ(call(&v1::Paceline::Stub::GetPull, get, pull).error_code(), StatusCode::INVALID_ARGUMENT);

  v1::CancelPullRequest cancel;
  cancel.set_pull_id(alpine);
  ASSERT_TRUE(call(&v1::Paceline::Stub::CancelPull, cancel, pull).ok());
  EXPECT_EQ(pull.state(), v1::PULL_STATE_CANCELLED);
  EXPECT_EQ(call(&v1::Paceline::Stub::CancelPull, cancel, pull).error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(PacelineServiceTest, ManyBlobsAreListedInManyMessages) {
  std::set<std::string> stored;
  for (int i = 0; i < 600; ++i) stored.insert(api.hide("blob " + std::to_string(i)).to_string());
  ASSERT_TRUE(api.store->adopt(Digest::parse(*stored.begin()).value()));
  const auto list = [&](v1::Visibility visibility) {
    v1::ListBlobsRequest request;
    request.set_visibility(visibility);
    grpc::ClientContext context;
    const auto reader = api.stub->ListBlobs(&context, request);
    v1::ListBlobsResponse message;
    std::set<std::string> digests;
    int messages = 0;
    while (reader->Read(&message)) {
      ++messages;
      for (const auto& blob : message.blobs()) digests.insert(blob.digest());
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(messages, static_cast<int>((digests.size() + 255) / 256));
    return digests;
  };
  EXPECT_EQ(list(v1::VISIBILITY_UNSPECIFIED), stored);
  EXPECT_EQ(list(v1::VISIBILITY_HIDDEN).size(), 599U);
  EXPECT_EQ(list(v1::VISIBILITY_LISTED), std::set<std::string>{*stored.begin()});
}

TEST_F(PacelineServiceTest, UsageCountsBoth) {
  api.hide("12345");
  ASSERT_TRUE(api.store->adopt(api.hide("123")));
  v1::Usage usage;
  ASSERT_TRUE(call(&v1::Paceline::Stub::GetUsage, v1::GetUsageRequest(), usage).ok());
  EXPECT_EQ(usage.hidden_blobs(), 1U);
  EXPECT_EQ(usage.hidden_bytes(), 5U);
  EXPECT_EQ(usage.listed_bytes(), 3U);
}

TEST_F(PacelineServiceTest, VerifyFindsTheDamagedBlob) {
  api.hide("intact");
  const auto damaged = api.hide("damaged");
  const auto file = api.folder.path() / "content/.paceline/hidden/sha256" / damaged.hex();
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  ASSERT_TRUE(write_file_atomically(file, "dAmaged", Durability::kProcessCrash));
  grpc::ClientContext context;
  const auto reader = api.stub->VerifyBlobs(&context, {});
  v1::VerifyBlobsEvent event;
  std::map<std::string, bool> ok;
  while (reader->Read(&event)) ok[event.digest()] = event.ok();
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_EQ(ok.size(), 2U);
  EXPECT_FALSE(ok[damaged.to_string()]);
  EXPECT_EQ(event.verified_blobs(), 2U);
  EXPECT_EQ(event.total_blobs(), 2U);
  EXPECT_EQ(event.total_bytes(), 13U);
}

TEST_F(PacelineServiceTest, VerifyOfAnUnknownBlobFails) {
  v1::VerifyBlobsRequest request;
  request.add_digests(sha256("absent").to_string());
  grpc::ClientContext context;
  const auto reader = api.stub->VerifyBlobs(&context, request);
  v1::VerifyBlobsEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(PacelineServiceTest, PinsAreMadeByAPullListedAndTakenAway) {
  v1::PinRequest pin;
  pin.set_image("redis");
  v1::PinResponse pinned;
  ASSERT_TRUE(call(&v1::Paceline::Stub::Pin, pin, pinned).ok());
  EXPECT_EQ(pinned.pull_id(), "pull-1");
  EXPECT_TRUE(api.pulls.requests().at(0).pin);

  const auto blob = api.hide("12345");
  ASSERT_TRUE(api.store->pin("docker.io/library/redis:latest", {blob, sha256("absent")}));
  v1::ListPinsResponse pins;
  ASSERT_TRUE(call(&v1::Paceline::Stub::ListPins, v1::ListPinsRequest(), pins).ok());
  ASSERT_EQ(pins.pins_size(), 1);
  EXPECT_EQ(pins.pins(0).digests_size(), 2);
  EXPECT_EQ(pins.pins(0).size_bytes(), 5U);

  v1::UnpinRequest unpin;
  unpin.set_image("redis");
  v1::UnpinResponse unpinned;
  ASSERT_TRUE(call(&v1::Paceline::Stub::Unpin, unpin, unpinned).ok());
  EXPECT_EQ(unpinned.image(), "docker.io/library/redis:latest");
  EXPECT_EQ(call(&v1::Paceline::Stub::Unpin, unpin, unpinned).error_code(), StatusCode::NOT_FOUND);
  unpin.set_image("UPPER");
  EXPECT_EQ(call(&v1::Paceline::Stub::Unpin, unpin, unpinned).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(PacelineServiceTest, EvictNeedsTargetsOrAllButNotBoth) {
  v1::EvictRequest request;
  v1::EvictResponse response;
  EXPECT_EQ(call(&v1::Paceline::Stub::Evict, request, response).error_code(), StatusCode::INVALID_ARGUMENT);
  request.set_all(true);
  request.add_targets("redis");
  EXPECT_EQ(call(&v1::Paceline::Stub::Evict, request, response).error_code(), StatusCode::INVALID_ARGUMENT);
  request.clear_targets();
  api.hide("12345");
  ASSERT_TRUE(call(&v1::Paceline::Stub::Evict, request, response).ok());
  EXPECT_EQ(response.evicted_blobs(), 1U);
  EXPECT_EQ(response.evicted_bytes(), 5U);
}

TEST_F(PacelineServiceTest, VersionSaysWhoAnswers) {
  v1::Version version;
  ASSERT_TRUE(call(&v1::Paceline::Stub::GetVersion, v1::GetVersionRequest(), version).ok());
  EXPECT_EQ(version.version(), "1.2.3");
  EXPECT_EQ(version.api_version(), "v1");
  EXPECT_EQ(version.process_id(), ::getpid());
  EXPECT_GT(version.started_unix_ms(), 1'600'000'000'000);
}

}  // namespace
}  // namespace paceline::api
