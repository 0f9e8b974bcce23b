#include "plugin/metrics/ended_pulls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/metrics/samples.h"

namespace paceline::metrics {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

pull::PullSnapshot ended_pull(pull::PullState state, Duration elapsed, std::uint64_t bytes) {
  pull::PullSnapshot pull;
  pull.source = pull::Source::kMirror;
  pull.state = state;
  pull.elapsed = elapsed;
  pull.total_bytes = bytes;
  pull.policy = "adaptive";
  return pull;
}

TEST(EndedPulls, SizeClassesAreTheKubelets) {
  EXPECT_EQ(size_class(0), "N/A");
  EXPECT_EQ(size_class(1), "0-10MB");
  EXPECT_EQ(size_class(10ULL << 20U), "0-10MB");
  EXPECT_EQ(size_class((10ULL << 20U) + 1), "10MB-100MB");
  EXPECT_EQ(size_class(101ULL << 20U), "100MB-500MB");
  EXPECT_EQ(size_class(1ULL << 30U), "500MB-1GB");
  EXPECT_EQ(size_class(2ULL << 30U), "1GB-5GB");
  EXPECT_EQ(size_class(10ULL << 30U), "5GB-10GB");
  EXPECT_EQ(size_class((10ULL << 30U) + 1), "GT10GB");
}

TEST(EndedPulls, CountsByLabelsInCumulatedBuckets) {
  EndedPulls pulls;
  pulls.ended(ended_pull(pull::PullState::kDone, 100ms, 5));
  pulls.ended(ended_pull(pull::PullState::kDone, 7s, 5));
  pulls.ended(ended_pull(pull::PullState::kDone, 2h, 5));
  pulls.ended(ended_pull(pull::PullState::kFailed, 1s, 0));
  const std::string text = to_text(ended_pull_families(pulls.snapshot()));
  const std::string name = "paceline_image_pull_duration_seconds";
  const std::string ok = R"({source="mirror",result="ok",policy="adaptive",image_size_in_bytes="0-10MB")";
  EXPECT_THAT(text, HasSubstr("# TYPE " + name + " histogram"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + ok + ",le=\"0.1\"} 1"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + ok + ",le=\"5\"} 1"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + ok + ",le=\"10\"} 2"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + ok + ",le=\"3600\"} 2"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + ok + ",le=\"+Inf\"} 3"));
  EXPECT_THAT(text, HasSubstr(name + "_count" + ok + "} 3"));
  EXPECT_THAT(text, HasSubstr(name + "_sum" + ok + "} 7207.1"));
  EXPECT_THAT(
      text,
      HasSubstr(name + R"(_count{source="mirror",result="failed",policy="adaptive",image_size_in_bytes="N/A"} 1)"));
}

TEST(EndedPulls, CountWhatTheyDidNotHaveToFetch) {
  EndedPulls pulls;
  auto pull = ended_pull(pull::PullState::kDone, 1s, 300);
  pull.resumed_bytes = 70;
  pull.blobs.resize(3);
  pull.blobs[0].shared = pull.blobs[2].shared = true;
  pulls.ended(pull);
  pulls.ended(pull);
  const std::string text = to_text(ended_pull_families(pulls.snapshot()));
  EXPECT_THAT(text, HasSubstr("paceline_resumed_bytes_total 140"));
  EXPECT_THAT(text, HasSubstr("paceline_singleflight_hits_total 4"));
}

}  // namespace
}  // namespace paceline::metrics
