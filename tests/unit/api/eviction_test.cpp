#include "plugin/api/eviction.h"

#include <gtest/gtest.h>

#include "tests/unit/api/api_server.h"

namespace paceline::api {
namespace {

class EvictionTest : public testing::Test {
 protected:
  test::ApiServer api;
  Eviction eviction{*api.store, api.pulls, nullptr};
};

TEST_F(EvictionTest, ADigestMustBeHiddenAndUnpinned) {
  const auto hidden = api.hide("hidden");
  const auto listed = api.hide("listed");
  const auto pinned = api.hide("pinned");
  ASSERT_TRUE(api.store->adopt(listed));
  ASSERT_TRUE(api.store->pin("image", {pinned}));
  for (const auto& digest : {hidden, listed, pinned, sha256("absent")}) eviction.target(digest.to_string());
  EXPECT_EQ(eviction.report().evicted_blobs, 1U);
  EXPECT_EQ(eviction.report().evicted_bytes, 6U);
  ASSERT_EQ(eviction.report().failures.size(), 3U);
  EXPECT_EQ(eviction.report().failures[0].second.code, Code::kFailedPrecondition);
  EXPECT_EQ(eviction.report().failures[1].second.code, Code::kFailedPrecondition);
  EXPECT_EQ(eviction.report().failures[2].second.code, Code::kNotFound);
  EXPECT_FALSE(api.store->find(hidden));
  EXPECT_TRUE(api.store->find(listed));
}

TEST_F(EvictionTest, AllTakesOnlyWhatIsHiddenAndUnpinned) {
  api.hide("a");
  api.hide("b");
  ASSERT_TRUE(api.store->adopt(api.hide("listed")));
  ASSERT_TRUE(api.store->pin("image", {api.hide("pinned")}));
  eviction.all();
  EXPECT_EQ(eviction.report().evicted_blobs, 2U);
  EXPECT_TRUE(eviction.report().failures.empty());
  EXPECT_EQ(api.store->list(std::nullopt).size(), 2U);
}

TEST_F(EvictionTest, AnImageNamedByDigestIsFoundInTheStore) {
  const auto image = test::hide_image(api, "app");
  const auto other = api.hide("other");
  ASSERT_TRUE(api.store->adopt(image.config));
  eviction.target("host:5000/app@" + image.manifest.to_string());
  EXPECT_EQ(eviction.report().evicted_blobs, 2U);
  EXPECT_EQ(eviction.report().kept_blobs, 1U);
  EXPECT_TRUE(eviction.report().failures.empty());
  EXPECT_TRUE(api.store->find(other));
  EXPECT_FALSE(api.store->find(image.layer));
}

TEST_F(EvictionTest, AnImageNamedByTagIsFoundAmongThePullsThatEnded) {
  const auto image = test::hide_image(api, "app");
  api.pulls.on_start([&](pull::PullSnapshot& pull) { pull.digest = image.manifest; });
  const auto id = api.pulls.start_prefetch({*oci::Reference::parse("app:1"), {}, false, {}});
  eviction.target("app:1");
  ASSERT_EQ(eviction.report().failures.size(), 1U) << "the pull is not over yet";
  EXPECT_EQ(eviction.report().failures[0].second.code, Code::kFailedPrecondition);
  EXPECT_EQ(eviction.report().evicted_blobs, 0U);
  api.pulls.finish(id);
  eviction.target("app:1");
  EXPECT_EQ(eviction.report().evicted_blobs, 3U);
}

TEST_F(EvictionTest, UnknownAndMalformedTargetsAreReportedEach) {
  eviction.target("never/pulled:1");
  eviction.target("sha256:xyz");
  eviction.target("UPPER");
  ASSERT_EQ(eviction.report().failures.size(), 3U);
  EXPECT_EQ(eviction.report().failures[0].second.code, Code::kNotFound);
  EXPECT_EQ(eviction.report().failures[1].second.code, Code::kInvalidArgument);
  EXPECT_EQ(eviction.report().failures[2].second.code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace paceline::api
