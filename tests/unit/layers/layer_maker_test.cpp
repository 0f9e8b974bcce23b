#include "plugin/layers/layer_maker.h"

#include "tests/unit/layers/layers_test.h"

namespace paceline::layers {
namespace {

class LayerMakerTest : public LayersTest {
 protected:
  LayerMakerTest() {
    folders_ = LayerFolders::open(root() / "layers", 0).value();
    kept_ = KeptLayers::open(root() / "prefetched", *store_, clock_).value();
    const MakerServices services{*store_, flights_, *snapshotter_, *folders_, *kept_};
    maker_ = std::make_unique<LayerMaker>(services, 2, std::stop_token());
    PlannedLayer layer;
    layer.blob = sha256("blob");
    layer.chain_id = sha256("layer");
    job_ = std::make_unique<LayerJob>(layer, nullptr, 0);
    auto made = folders_->make().value();
    job_->path = made.path;
    job_->folder = std::move(made.fd);
  }

  std::unique_ptr<LayerFolders> folders_;
  std::unique_ptr<KeptLayers> kept_;
  std::unique_ptr<LayerMaker> maker_;
  std::unique_ptr<LayerJob> job_;
};

TEST_F(LayerMakerTest, ALowerLayerIsWholeWhereverItMovesUntilItIsRemoved) {
  const LowerLayer lower{job_.get(), job_->path};
  const auto chain_id = job_->layer.chain_id;
  EXPECT_TRUE(maker_->is_whole(lower));
  ASSERT_TRUE(kept_->put(chain_id, job_->layer.blob, job_->path, {1000, 1}));
  EXPECT_TRUE(maker_->is_whole(lower));
  const auto layer = kept_->take(chain_id);
  EXPECT_TRUE(maker_->is_whole(lower)) << "given, but not moved yet";
  ASSERT_TRUE(snapshotter_->adopt_layer(chain_id.to_string(), "", {}, *layer));
  EXPECT_TRUE(maker_->is_whole(lower));
  ASSERT_TRUE(snapshotter_->remove(chain_id.to_string() + "/1"));
  EXPECT_FALSE(maker_->is_whole(lower));
}

TEST_F(LayerMakerTest, AnEvictedLayerIsNotWhole) {
  ASSERT_TRUE(kept_->put(job_->layer.chain_id, job_->layer.blob, job_->path, {1000, 1}));
  const LowerLayer lower{job_.get(), kept_->place(job_->layer.chain_id)};
  EXPECT_TRUE(maker_->is_whole(lower));
  EXPECT_TRUE(kept_->evict_oldest());
  EXPECT_FALSE(maker_->is_whole(lower));
  // Another copy of the same layer is not what was read.
  const auto again = folders_->make().value();
  ASSERT_TRUE(kept_->put(job_->layer.chain_id, job_->layer.blob, again.path, {1000, 1}));
  EXPECT_FALSE(maker_->is_whole(lower));
}

}  // namespace
}  // namespace paceline::layers
