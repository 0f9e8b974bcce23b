#include "plugin/pull/plan.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

oci::Descriptor blob(const std::string& content, std::uint64_t size) {
  oci::Descriptor out;
  out.digest = sha256(content);
  out.size = size;
  return out;
}

TEST(Plan, ConfigFirstThenLayersBottomFirst) {
  const auto plan = plan_blobs({blob("config", 1), {blob("a", 2), blob("b", 3)}});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 3U);
  EXPECT_EQ((*plan)[0].digest, sha256("config"));
  EXPECT_EQ((*plan)[1].digest, sha256("a"));
  EXPECT_EQ((*plan)[2].digest, sha256("b"));
}

TEST(Plan, ARepeatedLayerIsFetchedOnce) {
  EXPECT_EQ(plan_blobs({blob("config", 1), {blob("a", 2), blob("a", 2)}})->size(), 2U);
}

TEST(Plan, OneDigestWithTwoSizesIsRefused) {
  const auto plan = plan_blobs({blob("config", 1), {blob("a", 2), blob("a", 3)}});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kInvalidArgument);
}

TEST(Plan, ForeignLayersAreLeftToContainerd) {
  auto foreign = blob("windows", 9);
  foreign.foreign = true;
  EXPECT_EQ(plan_blobs({blob("config", 1), {foreign}})->size(), 1U);
}

}  // namespace
}  // namespace paceline::pull
