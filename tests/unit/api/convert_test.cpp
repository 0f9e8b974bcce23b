#include "plugin/api/convert.h"

#include <gtest/gtest.h>

namespace paceline::api {
namespace {

pull::PullSnapshot sample() {
  pull::PullSnapshot pull;
  pull.id = "42";
  pull.image = "docker.io/library/redis:7";
  pull.digest = sha256("manifest");
  pull.platform = "linux/amd64";
  pull.source = pull::Source::kMirror;
  pull.foreground = true;
  pull.unpack = true;
  pull.state = pull::PullState::kFetching;
  pull.started = WallTime(std::chrono::milliseconds(1'700'000'000'123));
  pull.elapsed = std::chrono::microseconds(2'500'900);
  pull.resolve_time = std::chrono::milliseconds(300);
  pull.total_bytes = 1000;
  pull.received_bytes = 400;
  pull.fetched_bytes = 300;
  pull.resumed_bytes = 100;
  pull.retries = 2;
  pull.streams = 6;
  pull.bytes_per_second = 123.5;
  pull.policy = "fixed:5";
  pull.blobs = {{sha256("config"), "application/config", 100, 100, true, true, 0},
                {sha256("layer"), "application/layer", 900, 300, false, false, 6, pull::UnpackState::kUnpacking, 200}};
  return pull;
}

TEST(Convert, APullKeepsEveryField) {
  const v1::Pull pull = to_proto(sample(), Blobs::kInclude);
  EXPECT_EQ(pull.pull_id(), "42");
  EXPECT_EQ(pull.image(), "docker.io/library/redis:7");
  EXPECT_EQ(pull.manifest_digest(), sha256("manifest").to_string());
  EXPECT_EQ(pull.platform(), "linux/amd64");
  EXPECT_EQ(pull.source(), v1::PULL_SOURCE_MIRROR);
  EXPECT_TRUE(pull.foreground());
  EXPECT_EQ(pull.state(), v1::PULL_STATE_FETCHING);
  EXPECT_FALSE(pull.has_error());
  EXPECT_EQ(pull.started_unix_ms(), 1'700'000'000'123);
  EXPECT_EQ(pull.finished_unix_ms(), 0);
  EXPECT_EQ(pull.elapsed_ms(), 2500U);
  EXPECT_EQ(pull.resolve_ms(), 300U);
  EXPECT_EQ(pull.total_bytes(), 1000U);
  EXPECT_EQ(pull.received_bytes(), 400U);
  EXPECT_EQ(pull.fetched_bytes(), 300U);
  EXPECT_EQ(pull.resumed_bytes(), 100U);
  EXPECT_EQ(pull.retries(), 2U);
  EXPECT_EQ(pull.streams(), 6U);
  EXPECT_EQ(pull.bytes_per_second(), 123.5);
  EXPECT_EQ(pull.policy(), "fixed:5");
  EXPECT_EQ(pull.blob_count(), 2U);
  EXPECT_EQ(pull.blobs_done(), 1U);
  ASSERT_EQ(pull.blobs_size(), 2);
  EXPECT_EQ(pull.blobs(1).digest(), sha256("layer").to_string());
  EXPECT_EQ(pull.blobs(1).received_bytes(), 300U);
  EXPECT_EQ(pull.blobs(1).streams(), 6U);
  EXPECT_EQ(pull.blobs(0).unpack(), v1::UNPACK_STATE_UNSPECIFIED);
  EXPECT_EQ(pull.blobs(1).unpack(), v1::UNPACK_STATE_UNPACKING);
  EXPECT_EQ(pull.blobs(1).unpacked_bytes(), 200U);
  EXPECT_TRUE(pull.unpack());
  EXPECT_EQ(pull.layers_unpacked(), 0U);
  EXPECT_TRUE(pull.blobs(0).present());
}

TEST(Convert, BlobsAreLeftOutButCounted) {
  const v1::Pull pull = to_proto(sample(), Blobs::kOmit);
  EXPECT_EQ(pull.blobs_size(), 0);
  EXPECT_EQ(pull.blob_count(), 2U);
}

TEST(Convert, AFailedPullSaysWhy) {
  auto snapshot = sample();
  snapshot.state = pull::PullState::kFailed;
  snapshot.error = Error{Code::kUnauthenticated, "registry says no"};
  snapshot.finished = snapshot.started + std::chrono::seconds(1);
  const v1::Pull pull = to_proto(snapshot, Blobs::kOmit);
  EXPECT_EQ(pull.state(), v1::PULL_STATE_FAILED);
  EXPECT_EQ(pull.error().code(), "UNAUTHENTICATED");
  EXPECT_EQ(pull.error().message(), "registry says no");
  EXPECT_EQ(pull.finished_unix_ms(), 1'700'000'001'123);
}

TEST(Convert, AnErrorKeepsItsCode) {
  const grpc::Status status = to_grpc({Code::kFailedPrecondition, "pinned"});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "pinned");
}

TEST(Convert, APathIsInMilliseconds) {
  pull::PathSnapshot path;
  path.host = "cdn:443";
  path.rtt_seconds = 0.035;
  path.first_byte_seconds = 0.1;
  path.silent_seconds = 2;
  path.limit = 6;
  path.bytes = 77;
  const v1::Path out = to_proto(path);
  EXPECT_DOUBLE_EQ(out.rtt_ms(), 35);
  EXPECT_DOUBLE_EQ(out.first_byte_ms(), 100);
  EXPECT_DOUBLE_EQ(out.silent_ms(), 2000);
  EXPECT_EQ(out.stream_limit(), 6U);
  EXPECT_EQ(out.fetched_bytes(), 77U);
  EXPECT_TRUE(out.ranges());
}

}  // namespace
}  // namespace paceline::api
