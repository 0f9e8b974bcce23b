#include "plugin/layers/kept_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <vector>

#include "tests/unit/layers/layers_test.h"

namespace paceline::layers {
namespace {

namespace fs = std::filesystem;

class KeptLayersTest : public LayersTest {
 protected:
  KeptLayersTest() { open(); }
  void open() { kept_ = KeptLayers::open(folder(), *store_, clock_).value(); }
  void open(std::uint64_t quota) {
    kept_.reset();
    store_.reset();
    store_ = store::Store::open({.content = dir_.path() / "content", .quota = quota, .free_floor = 0}, clock_).value();
    open();
  }
  [[nodiscard]] fs::path folder() const { return root() / "prefetched"; }
  [[nodiscard]] std::size_t entries() const {
    const auto items = fs::directory_iterator(folder());
    return static_cast<std::size_t>(std::distance(begin(items), end(items)));
  }
  Result<fs::path> put(const std::string& name, std::int64_t bytes = 1000, const std::set<Digest>& spared = {}) {
    const auto made = root() / ("made-" + name);
    fs::create_directories(made / "etc");
    std::ofstream(made / "etc/name") << name;
    return kept_->put(sha256(name), blob(name), made, {bytes, 3}, spared);
  }
  static Digest blob(const std::string& name) { return sha256("blob of " + name); }

  std::unique_ptr<KeptLayers> kept_;
};

TEST_F(KeptLayersTest, KeepsOverAStart) {
  ASSERT_TRUE(put("a"));
  open();
  const auto layer = kept_->find(sha256("a"));
  ASSERT_TRUE(layer);
  EXPECT_EQ(content(layer->files / "etc/name"), "a");
  EXPECT_EQ(layer->usage, (snapshots::Usage{1000, 3}));
  EXPECT_EQ(kept_->totals().bytes, 1000U);
}

TEST_F(KeptLayersTest, GivesAwayOnce) {
  ASSERT_TRUE(put("a"));
  const auto layer = kept_->take(sha256("a"));
  ASSERT_TRUE(layer);
  EXPECT_FALSE(kept_->take(sha256("a")));
  fs::rename(layer->files, root() / "taken");
  kept_->forget(sha256("a"));
  EXPECT_EQ(entries(), 0U);
}

TEST_F(KeptLayersTest, AStartRemovesHalves) {
  ASSERT_TRUE(put("described"));
  ASSERT_TRUE(put("files"));
  fs::remove_all(folder() / sha256("described").hex());
  fs::remove(folder() / (sha256("files").hex() + ".json"));
  std::ofstream(folder() / "strange") << "x";
  open();
  EXPECT_EQ(kept_->totals().layers, 0U);
  EXPECT_EQ(entries(), 0U);
}

TEST_F(KeptLayersTest, DropsTheLayersOfABlobButNoPinnedOnes) {
  for (const auto* name : {"a", "b", "c"}) ASSERT_TRUE(put(name));
  keep("blob of c");
  ASSERT_TRUE(store_->pin("image", {blob("c")}));
  EXPECT_EQ(kept_->evict(blob("a")).layers, 1U);
  EXPECT_EQ(kept_->evict(blob("c")).layers, 0U);
  EXPECT_EQ(kept_->evict(std::nullopt).bytes, 1000U);
  EXPECT_FALSE(kept_->evict_oldest());
  EXPECT_TRUE(kept_->find(sha256("c")));
  EXPECT_EQ(entries(), 2U);
}

TEST_F(KeptLayersTest, CountsAgainstTheQuota) {
  open(2500);
  ASSERT_TRUE(put("a"));
  ASSERT_TRUE(put("b"));
  EXPECT_FALSE(store_->put_hidden(sha256(std::string(600, 'x')), std::string(600, 'x'), store::Purpose::kPrefetch));
  (void)kept_->find(sha256("a"));
  ASSERT_TRUE(put("c"));
  EXPECT_TRUE(kept_->find(sha256("a")));
  EXPECT_FALSE(kept_->find(sha256("b"))) << "nobody has looked at it for the longest time";
  const auto refused = put("d", 3000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ(kept_->totals().layers, 2U) << "nothing goes for what has no room even so";
}

TEST_F(KeptLayersTest, SparesTheLayersOfTheSameImage) {
  open(2500);
  ASSERT_TRUE(put("a"));
  ASSERT_TRUE(put("b"));
  EXPECT_FALSE(put("c", 1000, {sha256("a"), sha256("b")}));
  EXPECT_EQ(kept_->totals().layers, 2U);
  EXPECT_TRUE(put("c", 1000, {sha256("a")}));
  EXPECT_TRUE(kept_->find(sha256("a"))) << "the other one goes, though it was used later";
  EXPECT_FALSE(kept_->find(sha256("b")));
  EXPECT_FALSE(kept_->evict_oldest({sha256("a"), sha256("c")}));
}

TEST_F(KeptLayersTest, LayersThatComeAtOnceDoNotPassTheQuotaTogether) {
  open(10'000);
  // Pinned, so that none makes room for another.
  std::vector<Digest> blobs;
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) {
    names.push_back(std::to_string(i));
    blobs.push_back(keep("blob of " + names.back()));
  }
  ASSERT_TRUE(store_->pin("image", blobs));
  std::vector<std::future<bool>> puts;
  for (const auto& name : names) {
    puts.push_back(std::async(std::launch::async, [this, name] { return put(name, 6000).has_value(); }));
  }
  EXPECT_EQ(std::ranges::count_if(puts, [](auto& put) { return put.get(); }), 1);
  EXPECT_EQ(kept_->totals().bytes, 6000U);
}

TEST_F(KeptLayersTest, WhatCouldNotBeMovedTakesNoRoom) {
  open(2500);
  EXPECT_FALSE(kept_->put(sha256("a"), blob("a"), root() / "nowhere", {2000, 3}));
  EXPECT_TRUE(put("b", 2000));
  EXPECT_TRUE(kept_->evict_oldest());
  EXPECT_TRUE(store_->put_hidden(sha256(std::string(2000, 'x')), std::string(2000, 'x'), store::Purpose::kPrefetch));
}

}  // namespace
}  // namespace paceline::layers
