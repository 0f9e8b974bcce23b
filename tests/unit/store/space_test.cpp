// Quota, free-space floor and eviction, through the store.
#include <thread>

#include "tests/unit/store/temp_store.h"

namespace paceline::store {
namespace {

class Quota : public StoreTest {
 protected:
  void set_quota(std::uint64_t quota) {
    options.quota = quota;
    reopen();
  }
};

TEST_F(Quota, EvictsTheLeastRecentlyUsedHiddenBlob) {
  set_quota(300);
  const Digest a = hide(make_bytes(100, 1));
  const Digest b = hide(make_bytes(100, 2));
  const Digest c = hide(make_bytes(100, 3));
  (void)read(a);
  clock.advance(std::chrono::seconds(1));
  const Digest d = hide(make_bytes(100, 4));
  EXPECT_TRUE(store->find(a));
  EXPECT_FALSE(store->find(b));
  EXPECT_TRUE(store->find(c));
  EXPECT_TRUE(store->find(d));
  const auto usage = store->usage();
  EXPECT_EQ(usage.evictions, 1U);
  EXPECT_EQ(usage.evicted.at(Eviction::kQuota), 1U);
  EXPECT_EQ(usage.unused_bytes, 100U);
}

TEST_F(Quota, DropsAreCountedByReason) {
  const Digest asked = hide(make_bytes(100, 1));
  const Digest unpacked = hide(make_bytes(70, 2));
  const Digest adopted = hide(make_bytes(10, 3));
  ASSERT_TRUE(store->evict(asked));
  ASSERT_TRUE(store->evict(unpacked, Eviction::kUnpacked));
  EXPECT_FALSE(store->evict(unpacked));
  ASSERT_TRUE(store->adopt(adopted));
  ASSERT_TRUE(store->adopt(adopted));
  const auto usage = store->usage();
  EXPECT_EQ(usage.evicted.at(Eviction::kRequest), 1U);
  EXPECT_EQ(usage.evicted.at(Eviction::kUnpacked), 1U);
  EXPECT_EQ(usage.evictions, 0U) << "nothing was dropped for room";
  EXPECT_EQ(usage.unused_bytes, 100U) << "what was unpacked was used";
  EXPECT_EQ(usage.adoptions, 1U);
}

TEST_F(Quota, OrderOfUseSurvivesARestart) {
  set_quota(300);
  const Digest a = hide(make_bytes(100, 1));
  const Digest b = hide(make_bytes(100, 2));
  hide(make_bytes(100, 3));
  clock.advance(std::chrono::minutes(5));
  (void)read(a);
  reopen();
  clock.advance(std::chrono::minutes(5));
  hide(make_bytes(100, 4));
  EXPECT_TRUE(store->find(a));
  EXPECT_FALSE(store->find(b));
}

TEST_F(Quota, PinnedAndListedBlobsStay) {
  set_quota(300);
  const Digest pinned = hide(make_bytes(100, 1));
  ASSERT_TRUE(store->pin("image", {pinned}));
  const Digest listed = commit(make_bytes(100, 2));
  const Digest hidden = hide(make_bytes(100, 3));
  hide(make_bytes(100, 4));
  EXPECT_TRUE(store->find(pinned));
  EXPECT_TRUE(store->find(listed));
  EXPECT_FALSE(store->find(hidden));
}

TEST_F(Quota, AClaimedBlobStaysUntilTheLastClaimEnds) {
  set_quota(200);
  const Digest claimed = hide(make_bytes(100, 1));
  const Digest other = hide(make_bytes(100, 2));
  auto first = store->claim(claimed);
  auto second = store->claim(claimed);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->info().size, 100U);
  hide(make_bytes(100, 3));
  EXPECT_TRUE(store->find(claimed));
  EXPECT_FALSE(store->find(other));
  first.reset();
  EXPECT_EQ(store->evict(claimed).error().code, Code::kFailedPrecondition);
  second.reset();
  EXPECT_TRUE(store->evict(claimed));
  EXPECT_EQ(store->claim(claimed), nullptr);
}

TEST_F(Quota, PrefetchThatCanNeverFitEvictsNothing) {
  set_quota(300);
  const Digest a = hide(make_bytes(100, 1));
  const auto file = store->begin_fetch(sha256("big"), 301, Purpose::kPrefetch);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kResourceExhausted);
  EXPECT_NE(file.error().message.find("quota"), std::string::npos);
  EXPECT_TRUE(store->find(a));
}

TEST_F(Quota, ForegroundEvictsButIsNeverRefused) {
  set_quota(300);
  const Digest a = hide(make_bytes(100, 1));
  const auto file = store->begin_fetch(sha256("big"), 1000, Purpose::kForeground);
  EXPECT_TRUE(file);
  EXPECT_FALSE(store->find(a));
}

TEST_F(Quota, LayersOfAForegroundPullAreNotEvictedByTheirSiblings) {
  set_quota(300);
  const Digest first = hide(make_bytes(200, 1), Purpose::kForeground);
  const Digest second = hide(make_bytes(200, 2), Purpose::kForeground);
  EXPECT_TRUE(store->find(first));
  EXPECT_TRUE(store->find(second));
  clock.advance(std::chrono::minutes(11));
  hide(make_bytes(50, 3), Purpose::kForeground);
  EXPECT_FALSE(store->find(first)) << "nobody came for it";
}

TEST_F(Quota, ContainerdsOwnWritesPushHiddenBlobsOut) {
  set_quota(300);
  const Digest hidden = hide(make_bytes(200, 1));
  const Digest listed = commit(make_bytes(200, 2));
  store.reset();  // Trimming happens in the background and is done by now.
  reopen();
  EXPECT_TRUE(store->find(listed));
  EXPECT_FALSE(store->find(hidden));
}

TEST_F(Quota, LeftDownloadsAreEvictedToo) {
  set_quota(100'000);
  const std::string bytes = make_bytes(80'000, 1);
  const Digest digest = sha256(bytes);
  {
    auto file = store->begin_fetch(digest, bytes.size(), Purpose::kPrefetch).value();
    ASSERT_TRUE(file->write(as_span(bytes), 0));
  }
  EXPECT_FALSE(store->begin_fetch(sha256("next"), 90'000, Purpose::kPrefetch)) << "too fresh to go";
  clock.advance(std::chrono::minutes(2));
  EXPECT_TRUE(store->begin_fetch(sha256("next"), 90'000, Purpose::kPrefetch));
  EXPECT_FALSE(std::filesystem::exists(fetch_folder(digest)));
}

TEST_F(Quota, DownloadsThatBeginTogetherDoNotPassItTogether) {
  set_quota(1000);
  std::atomic<int> accepted{0};
  std::vector<std::unique_ptr<FetchFile>> files(16);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < files.size(); ++i) {
    threads.emplace_back([&, i] {
      auto file = store->begin_fetch(sha256("blob " + std::to_string(i)), 300, Purpose::kPrefetch);
      if (!file) return;
      files[i] = std::move(*file);
      ++accepted;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(accepted, 3);
  EXPECT_EQ(store->usage().partial_bytes, 900U);
  files.clear();
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Quota, FloorRefusesEveryPurpose) {
  options.free_floor = 1ULL << 62U;
  reopen();
  for (const auto purpose : {Purpose::kForeground, Purpose::kPrefetch}) {
    const auto file = store->begin_fetch(sha256("x"), 1, purpose);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::kResourceExhausted);
    EXPECT_NE(file.error().message.find("free_floor"), std::string::npos);
  }
  EXPECT_EQ(store->put_hidden(sha256("x"), "x", Purpose::kForeground).error().code, Code::kResourceExhausted);
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

}  // namespace
}  // namespace paceline::store
