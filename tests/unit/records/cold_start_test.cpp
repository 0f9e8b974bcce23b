#include "plugin/records/cold_start.h"

#include <gtest/gtest.h>

#include "tests/unit/records/samples.h"

namespace paceline::records {
namespace {

TEST(ColdStart, SurvivesJson) {
  ColdStart record = sample_record();
  record.arm = "adaptive";
  record.mixed = true;
  record.cold_start_ms = 1500.5;
  record.lower_bound_ms = 800;
  record.ratio = 1.25;
  record.predicted_ms = {{1, 3000}, {10, 900}};
  record.container = Container{"c1", "k8s.io", 1400, 1500.5};
  const std::string line = to_json(record);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto again = from_json(line);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), line);
  EXPECT_EQ(again->predicted_ms.at(10), 900);
  EXPECT_EQ(again->container->containerd_namespace, "k8s.io");
  EXPECT_EQ(again->layers.front().located_ms, std::nullopt);
}

TEST(ColdStart, ForeignTextIsNoRecord) {
  for (const char* text : {"", "[]", "{}", "{\"pull_id\": 3}", "not json"}) {
    const auto record = from_json(text);
    ASSERT_FALSE(record) << text;
    EXPECT_EQ(record.error().code, Code::kInvalidArgument);
  }
}

TEST(ColdStart, BytesThatAreNoTextAreReplaced) {
  ColdStart record = sample_record();
  record.image = "bad\xff";
  EXPECT_TRUE(from_json(to_json(record)));
}

}  // namespace
}  // namespace paceline::records
