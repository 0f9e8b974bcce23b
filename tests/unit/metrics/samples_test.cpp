#include "plugin/metrics/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paceline::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Samples, StoreTellsBytesByState) {
  store::Usage usage;
  usage.listed_bytes = 10;
  usage.hidden_bytes = 20;
  usage.quota = 30;
  usage.evictions = 4;
  const std::string text = to_text(store_families(usage));
  EXPECT_THAT(text, HasSubstr("# TYPE paceline_store_bytes gauge"));
  EXPECT_THAT(text, HasSubstr("paceline_store_bytes{state=\"listed\"} 10"));
  EXPECT_THAT(text, HasSubstr("paceline_store_bytes{state=\"hidden\"} 20"));
  EXPECT_THAT(text, HasSubstr("paceline_store_quota_bytes 30"));
  EXPECT_THAT(text, HasSubstr("# TYPE paceline_store_evictions_total counter"));
  EXPECT_THAT(text, HasSubstr("paceline_store_evictions_total 4"));
}

TEST(Samples, PathsBeyondTheCapShareOneLabelAndAreAddedUp) {
  std::vector<pull::PathSnapshot> paths(3);
  const char* hosts[] = {"a:443", "b:443", "c:443"};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    paths[i].host = hosts[i];
    paths[i].bytes = 100 * (i + 1);
    paths[i].rtt_seconds = 0.25 * static_cast<double>(i + 1);
  }
  HostLabels labels(1);
  const std::string text = to_text(path_families(paths, labels));
  EXPECT_THAT(text, HasSubstr("paceline_path_bytes_total{registry=\"a:443\"} 100"));
  EXPECT_THAT(text, HasSubstr("paceline_path_bytes_total{registry=\"other\"} 500"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_rtt_seconds{registry=\"other\"} 0.75"));
  EXPECT_THAT(text, Not(HasSubstr("b:443")));
}

TEST(Samples, AHostileHostCannotBreakOutOfItsLabel) {
  std::vector<pull::PathSnapshot> paths(1);
  paths[0].host = "a\"} 1\nforged 2";
  HostLabels labels(1);
  EXPECT_THAT(to_text(path_families(paths, labels)), Not(HasSubstr("\nforged")));
}

TEST(Samples, QueueCountsPrefetchesAlone) {
  std::vector<pull::PullSnapshot> pulls(3);
  pulls[0].source = pull::Source::kPrefetch;
  pulls[1].source = pull::Source::kMirror;
  pulls[2].state = pull::PullState::kFetching;
  const std::string text = to_text(pull_families(pulls));
  EXPECT_THAT(text, HasSubstr("paceline_prefetch_queue_length 1"));
  EXPECT_THAT(text, HasSubstr("paceline_pulls{state=\"queued\"} 2"));
  EXPECT_THAT(text, HasSubstr("paceline_pulls{state=\"fetching\"} 1"));
}

}  // namespace
}  // namespace paceline::metrics
