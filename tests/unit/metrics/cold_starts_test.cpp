#include "plugin/metrics/cold_starts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/metrics/samples.h"
#include "tests/unit/records/samples.h"

namespace paceline::metrics {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::string sum_of(const std::string& phase, const std::string& value) {
  return R"(paceline_cold_start_duration_seconds_sum{policy="adaptive",phase=")" + phase + "\"} " + value + "\n";
}

TEST(ColdStarts, PhasesOfThePullComeAtItsEndAndThoseOfTheContainerLater) {
  ColdStarts starts;
  auto record = records::sample_record();
  starts.record(record);
  const std::string at_end = to_text(record_families(starts.snapshot(), 0));
  EXPECT_THAT(at_end, HasSubstr(sum_of("fetch", "0.75")));
  EXPECT_THAT(at_end, HasSubstr(sum_of("pull", "1")));
  EXPECT_THAT(at_end, Not(HasSubstr("phase=\"total\"")));

  record.phases.push_back({"containerd", 1000, 1400});
  record.phases.push_back({"start", 1400, 1650});
  record.cold_start_ms = 1650;
  starts.record(record);
  const std::string later = to_text(record_families(starts.snapshot(), 3));
  EXPECT_THAT(later, HasSubstr(sum_of("fetch", "0.75"))) << "once is enough";
  EXPECT_THAT(later, HasSubstr(sum_of("pull", "1")));
  EXPECT_THAT(later, HasSubstr(sum_of("containerd", "0.4")));
  EXPECT_THAT(later, HasSubstr(sum_of("start", "0.25")));
  EXPECT_THAT(later, HasSubstr(sum_of("total", "1.65")));
  EXPECT_THAT(later, HasSubstr("paceline_records_dropped_total 3"));
}

TEST(ColdStarts, APolicyIsOnlyNamedWhereTheTimeSaysSomethingOfIt) {
  ColdStarts starts;
  auto record = records::sample_record();
  record.mixed = true;
  starts.record(record);
  record.mixed = false;
  record.fetched_bytes = 0;
  starts.record(record);
  const std::string text = to_text(record_families(starts.snapshot(), 0));
  EXPECT_THAT(text, Not(HasSubstr("policy=\"adaptive\"")));
  EXPECT_THAT(text, HasSubstr("policy=\"mixed\",phase=\"pull\""));
  EXPECT_THAT(text, HasSubstr("policy=\"none\",phase=\"pull\""));
}

TEST(ColdStarts, PrefetchesAndFailuresAreNone) {
  ColdStarts starts;
  auto record = records::sample_record();
  record.source = "prefetch";
  starts.record(record);
  record.source = "foreground";
  record.state = "failed";
  starts.record(record);
  EXPECT_TRUE(starts.snapshot().phases.empty());
}

TEST(ColdStarts, LayersAreCountedWhoeverFetchedThemAndTheConfigIsNone) {
  ColdStarts starts;
  auto record = records::sample_record();
  record.source = "prefetch";
  auto layer = record.layers.front();
  layer.located_ms = 150;
  record.layers.front().located_ms = 0;
  auto shared = layer;
  shared.origin = "shared";
  record.layers.insert(record.layers.end(), {layer, shared});
  starts.record(record);
  starts.layer_unpacked(300ms);
  const auto seen = starts.snapshot();
  EXPECT_DOUBLE_EQ(seen.layer_fetches.sum(), 0.8);
  EXPECT_DOUBLE_EQ(seen.layer_unpacks.sum(), 0.3);
}

}  // namespace
}  // namespace paceline::metrics
