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
  usage.evicted = {{store::Eviction::kQuota, 4}, {store::Eviction::kUnpacked, 5}};
  usage.unused_bytes = 6;
  usage.adoptions = 7;
  const std::string text = to_text(store_families(usage));
  EXPECT_THAT(text, HasSubstr("# TYPE paceline_store_bytes gauge"));
  EXPECT_THAT(text, HasSubstr("paceline_store_bytes{state=\"listed\"} 10"));
  EXPECT_THAT(text, HasSubstr("paceline_store_bytes{state=\"hidden\"} 20"));
  EXPECT_THAT(text, HasSubstr("paceline_store_quota_bytes 30"));
  EXPECT_THAT(text, HasSubstr("# TYPE paceline_store_evictions_total counter"));
  EXPECT_THAT(text, HasSubstr("paceline_store_evictions_total{reason=\"quota\"} 4"));
  EXPECT_THAT(text, HasSubstr("paceline_store_evictions_total{reason=\"unpacked\"} 5"));
  EXPECT_THAT(text, HasSubstr("paceline_prefetch_unused_bytes_total 6"));
  EXPECT_THAT(text, HasSubstr("paceline_content_adopted_total 7"));
}

TEST(Samples, PathsBeyondTheCapShareOneLabelAndAreAddedUp) {
  std::vector<pull::PathSnapshot> paths(3);
  const char* hosts[] = {"a:443", "b:443", "c:443"};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    paths[i].host = hosts[i];
    paths[i].counts.foreground_bytes = 100 * (i + 1);
    paths[i].counts.prefetch_bytes = i;
    paths[i].counts.retries[pull::Retry::kTimeout] = i;
    paths[i].counts.changes[{adaptive::Reason::kRampDouble, true}] = 2;
    paths[i].counts.range_fallbacks = 1;
    paths[i].rtt_seconds = 0.25 * static_cast<double>(i + 1);
  }
  HostLabels labels(1);
  const std::string text = to_text(path_families(paths, labels));
  EXPECT_THAT(text, HasSubstr("paceline_fetch_bytes_total{registry=\"a:443\",source=\"foreground\"} 100"));
  EXPECT_THAT(text, HasSubstr("paceline_fetch_bytes_total{registry=\"other\",source=\"foreground\"} 500"));
  EXPECT_THAT(text, HasSubstr("paceline_fetch_bytes_total{registry=\"other\",source=\"prefetch\"} 3"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_retries_total{registry=\"other\",reason=\"timeout\"} 3"));
  EXPECT_THAT(text, HasSubstr("paceline_concurrency_changes_total{registry=\"other\",direction=\"up\","
                              "reason=\"ramp_double\"} 4"));
  EXPECT_THAT(text, HasSubstr("paceline_range_fallback_total{registry=\"other\"} 2"));
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

TEST(Samples, RequestsAreCountedByStatusAndUnusualOnesByClass) {
  HostLabels labels(1);
  const std::string text = to_text(request_families({{"a:443", 206, 5},
                                                     {"a:443", 429, 1},
                                                     {"a:443", 503, 2},
                                                     {"a:443", 418, 3},
                                                     {"a:443", 451, 4},
                                                     {"a:443", 0, 6},
                                                     {"b:443", 200, 7},
                                                     {"", 200, 8}},
                                                    labels));
  EXPECT_THAT(text, HasSubstr("paceline_registry_requests_total{registry=\"a:443\",code=\"206\"} 5"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_requests_total{registry=\"a:443\",code=\"4xx\"} 7"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_requests_total{registry=\"a:443\",code=\"none\"} 6"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_requests_total{registry=\"other\",code=\"200\"} 15"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_throttled_total{registry=\"a:443\"} 3"));
  EXPECT_THAT(text, HasSubstr("paceline_registry_throttled_total{registry=\"other\"} 0"));
}

TEST(Samples, CallsAreNamedByServiceAndMethod) {
  CallTimes calls;
  calls.observe("/a.b.Service/Method", 0.02);
  calls.observe("nonsense", 1);
  const std::string text = to_text(call_families(calls.series()));
  const std::string labels = R"({grpc_service="a.b.Service",grpc_method="Method")";
  EXPECT_THAT(text, HasSubstr("paceline_grpc_server_handling_seconds_bucket" + labels + ",le=\"0.025\"} 1"));
  EXPECT_THAT(text, HasSubstr("paceline_grpc_server_handling_seconds_count" + labels + "} 1"));
  EXPECT_THAT(text, Not(HasSubstr("nonsense")));
}

}  // namespace
}  // namespace paceline::metrics
