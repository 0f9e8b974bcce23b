#include "plugin/layers/job_table.h"

#include <fcntl.h>

#include "plugin/base/files.h"
#include "tests/unit/layers/layers_test.h"

namespace paceline::layers {
namespace {

class JobTableTest : public LayersTest {
 protected:
  JobTableTest() { kept_ = KeptLayers::open(root() / "prefetched", *store_, clock_).value(); }

  static std::vector<PlannedLayer> layers(const std::vector<std::uint64_t>& sizes) {
    std::vector<PlannedLayer> all;
    for (const auto size : sizes) {
      PlannedLayer layer;
      layer.size = size;
      layer.chain_id = sha256("layer " + std::to_string(all.size()));
      all.push_back(layer);
    }
    return all;
  }
  /// Positions of an image's layers, in the order of their turns.
  static std::vector<std::size_t> turns(const JobTable::Image& image) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < image.all.size(); ++i) order.push_back(i);
    std::ranges::sort(order, {}, [&](std::size_t i) { return image.all[i]->rank.load(); });
    return order;
  }

  std::unique_ptr<KeptLayers> kept_;
  JobTable jobs_;
};

TEST_F(JobTableTest, TheLargestIsFirstWhereAllAreAwaited) {
  const auto image = jobs_.add(layers({10, 30, 20, 30}), true, JobTable::Order::kLargestFirst, *kept_);
  EXPECT_EQ(turns(image), (std::vector<std::size_t>{1, 3, 2, 0}));
  EXPECT_EQ(image.due.size(), 4U);
  EXPECT_EQ(image.all[3]->below, image.all[2]);
}

TEST_F(JobTableTest, TheBottomIsFirstWhereOneIsAwaitedAfterTheOther) {
  const auto image = jobs_.add(layers({10, 30, 20}), true, JobTable::Order::kBottomFirst, *kept_);
  EXPECT_EQ(turns(image), (std::vector<std::size_t>{0, 1, 2}));
}

TEST_F(JobTableTest, WhoWaitsGoesBeforePrefetches) {
  const auto ahead = jobs_.add(layers({10}), false, JobTable::Order::kLargestFirst, *kept_);
  auto others = layers({10, 20});
  others[0].chain_id = sha256("another");
  others[1].chain_id = sha256("image");
  const auto awaited = jobs_.add(others, true, JobTable::Order::kLargestFirst, *kept_);
  EXPECT_LT(awaited.all[0]->rank, ahead.all[0]->rank);
  // Once somebody waits for it, it is one of them, and begun by threads of theirs.
  const auto taken_over = jobs_.add(layers({10}), true, JobTable::Order::kLargestFirst, *kept_);
  EXPECT_EQ(taken_over.all[0], ahead.all[0]);
  EXPECT_EQ(taken_over.due, taken_over.all);
  EXPECT_TRUE(jobs_.add(layers({10}), true, JobTable::Order::kLargestFirst, *kept_).due.empty());
}

TEST_F(JobTableTest, WhatWasTakenIsLookedForAnew) {
  const auto image = jobs_.add(layers({10}), true, JobTable::Order::kLargestFirst, *kept_);
  image.all[0]->state = LayerJob::State::kTaken;
  const auto again = jobs_.add(layers({10}), true, JobTable::Order::kLargestFirst, *kept_);
  EXPECT_NE(again.all[0], image.all[0]);
  EXPECT_EQ(again.due, again.all);
}

TEST_F(JobTableTest, TheLayersBelowComeWithWhatIsToBeFinished) {
  const auto image = jobs_.add(layers({10, 20}), true, JobTable::Order::kBottomFirst, *kept_);
  const auto& bottom = image.all[0];
  const auto& top = image.all[1];
  top->unfinished.directories.push_back({"etc", false});
  top->state = LayerJob::State::kUnpacked;
  EXPECT_FALSE(jobs_.next_to_finish()) << "the bottom layer is not there yet";
  bottom->folder = open_file(root(), O_RDONLY | O_DIRECTORY).value();
  bottom->state = LayerJob::State::kReady;
  const auto next = jobs_.next_to_finish();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->job, top);
  ASSERT_EQ(next->lowers.value().size(), 1U);
  EXPECT_EQ(next->lowers.value()[0].job, bottom.get());
  bottom->state = LayerJob::State::kFinishing;
  EXPECT_FALSE(jobs_.next_to_finish()) << "it is being moved to the kept ones";
  bottom->state = LayerJob::State::kFailed;
  EXPECT_FALSE(jobs_.next_to_finish().value().lowers);
}

}  // namespace
}  // namespace paceline::layers
