#include "plugin/layers/held_reads.h"

#include <gtest/gtest.h>

namespace paceline::layers {
namespace {

using namespace std::chrono_literals;
using State = LayerJob::State;

class HeldReadsTest : public ::testing::Test {
 protected:
  void expect_image() {
    held_.expect(config_, {}, now_);
    held_.planned(config_, {job_});
  }
  bool read(const std::string& reader = "k8s.io") {
    HeldReads::Go go = [this] { ++gone_; };
    return held_.hold(config_, reader, go, now_);
  }
  int let_go() {
    for (const auto& go : held_.release(now_)) go();
    return gone_;
  }
  /// A whole pull of a namespace, which asks for the layer or does not.
  void pull(const std::string& reader, bool asks) {
    job_->state = State::kUnpacking;
    expect_image();
    (void)read(reader);
    job_->state = State::kReady;
    let_go();
    if (asks) held_.asked(*job_);
    now_ += 1min;
    let_go();
  }

  HeldReads held_;
  const Digest config_ = sha256("config");
  const std::shared_ptr<LayerJob> job_ = std::make_shared<LayerJob>(PlannedLayer(), nullptr, 0);
  TimePoint now_{1h};
  int gone_ = 0;
};

TEST_F(HeldReadsTest, UntilEveryLayerIsResolved) {
  held_.expect(config_, {}, now_);
  ASSERT_TRUE(read()) << "the plan is not made yet";
  EXPECT_EQ(let_go(), 0);
  held_.planned(config_, {job_});
  ASSERT_TRUE(read());
  EXPECT_EQ(let_go(), 0);
  job_->state = State::kFailed;
  EXPECT_EQ(let_go(), 2);
  EXPECT_FALSE(read());
}

TEST_F(HeldReadsTest, AnImageOfWhichNothingIsUnpackedIsReadAtOnce) {
  held_.expect(config_, {}, now_);
  ASSERT_TRUE(read());
  held_.planned(config_, {});
  EXPECT_EQ(let_go(), 1);
  EXPECT_FALSE(read());
}

TEST_F(HeldReadsTest, AsLongAsItMoves) {
  expect_image();
  ASSERT_TRUE(read());
  for (int i = 0; i < 10; ++i) {
    now_ += 20s;
    job_->read_bytes += 1;
    EXPECT_EQ(let_go(), 0);
  }
  now_ += 40s;
  EXPECT_EQ(let_go(), 1);
  EXPECT_FALSE(read()) << "given up for good";
}

TEST_F(HeldReadsTest, WhoAsksForNoLayersIsNotHeldAgain) {
  pull("moby", false);
  pull("k8s.io", true);
  job_->state = State::kUnpacking;
  expect_image();
  EXPECT_FALSE(read("moby"));
  EXPECT_TRUE(read("k8s.io"));
  held_.asked(*job_);
  EXPECT_TRUE(read("moby")) << "it, or somebody beside it, does ask now";
}

TEST_F(HeldReadsTest, WhoReadBeforeTheAskingCountsToo) {
  pull("moby", false);
  EXPECT_TRUE(held_.is_stranger("moby"));
  job_->state = State::kUnpacking;
  held_.expect(config_, {"moby"}, now_);
  held_.planned(config_, {job_});
  held_.asked(*job_);
  EXPECT_FALSE(held_.is_stranger("moby"));
}

TEST_F(HeldReadsTest, ReleasesAllAtTheEnd) {
  expect_image();
  ASSERT_TRUE(read());
  for (const auto& go : held_.release_all()) go();
  EXPECT_EQ(gone_, 1);
  EXPECT_FALSE(read());
}

}  // namespace
}  // namespace paceline::layers
