#include "plugin/layers/layer_unpacker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <future>
#include <random>
#include <thread>

#include "plugin/base/files.h"
#include "tests/support/temp_mount.h"
#include "tests/unit/layers/layers_test.h"

namespace paceline::layers {
namespace {

using namespace std::chrono_literals;
using test::TarWriter;
using Layer = std::optional<snapshots::UnpackedLayer>;

struct Image {
  oci::Manifest manifest;
  std::string config;
  std::vector<Digest> chain_ids;
};

class LayerUnpackerTest : public LayersTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    open();
  }
  void TearDown() override { unpacker_.reset(); }

  void open() {
    unpacker_.reset();
    folders_ = LayerFolders::open(root() / "layers", 0).value();
    kept_ = KeptLayers::open(root() / "prefetched", *store_, clock_).value();
    unpacker_ = std::make_unique<LayerUnpacker>(services(), options_);
  }

  UnpackerServices services() { return {*store_, flights_, *snapshotter_, *folders_, *kept_, clock_}; }

  static Digest manifest_digest(const Image& image) { return sha256("the manifest of " + image.config); }
  /// By containerd itself: it reads the manifest.
  void pull(const Image& image) {
    unpacker_->planned(manifest_digest(image), image.manifest);
    EXPECT_FALSE(unpacker_->hold(manifest_digest(image), "k8s.io", [] {}));
  }

  /// containerd's next step; it waits for the layers.
  void read_config(const Image& image) {
    std::promise<void> went;
    if (unpacker_->hold(image.manifest.config.digest, "k8s.io", [&] { went.set_value(); })) went.get_future().get();
  }

  /// Until the latest prefetch is planned and that is true of all its layers.
  template <class Condition>
  void await_progress(Condition condition) const {
    for (;; std::this_thread::yield()) {
      const auto layers = progress_->layers();
      if (!layers.empty() && std::ranges::all_of(layers, condition)) return;
    }
  }

  /// A prefetch's outcome.
  std::future<Status> prefetch(const oci::Manifest& manifest) {
    auto promise = std::make_shared<std::promise<Status>>();
    progress_ = unpacker_->unpack(manifest, [promise](const Status& outcome) { promise->set_value(outcome); });
    return promise->get_future();
  }

  static Image image(const std::vector<std::string>& tars) {
    Image image;
    std::string list;
    for (const auto& tar : tars) {
      const auto blob = test::gzip(tar);
      oci::Descriptor layer;
      layer.digest = sha256(blob);
      layer.size = blob.size();
      layer.media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
      image.manifest.layers.push_back(layer);
      const auto diff_id = sha256(tar);
      image.chain_ids.push_back(image.chain_ids.empty() ? diff_id : chain_id(image.chain_ids.back(), diff_id));
      list += (list.empty() ? "\"" : ",\"") + diff_id.to_string() + "\"";
    }
    image.config = R"({"rootfs":{"type":"layers","diff_ids":[)" + list + "]}}";
    image.manifest.config.digest = sha256(image.config);
    image.manifest.config.size = image.config.size();
    return image;
  }

  std::future<Layer> request(const Digest& chain_id, Duration patience = 60s) {
    auto promise = std::make_shared<std::promise<Layer>>();
    auto future = promise->get_future();
    unpacker_->request(chain_id.to_string(), clock_.now() + patience,
                       [promise](Layer layer) { promise->set_value(std::move(layer)); });
    return future;
  }

  [[nodiscard]] std::size_t folders() const {
    const auto items = std::filesystem::directory_iterator(root() / "layers");
    return static_cast<std::size_t>(std::distance(begin(items), end(items)));
  }

  std::unique_ptr<LayerFolders> folders_;
  UnpackerOptions options_;
  std::unique_ptr<KeptLayers> kept_;
  std::shared_ptr<const pull::UnpackProgress> progress_;
  std::unique_ptr<LayerUnpacker> unpacker_;
  const std::string bottom_ = TarWriter().folder("etc", 0700).file("etc/a", "1").finish();
  const std::string top_ = TarWriter().file("etc/b", "2").finish();
};

TEST_F(LayerUnpackerTest, AnswersWithTheLayersOfAPlan) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  for (const auto& tar : {bottom_, top_}) keep(test::gzip(tar));
  pull(planned);
  const auto bottom = request(planned.chain_ids[0]).get();
  ASSERT_TRUE(bottom);
  EXPECT_EQ(content(bottom->files / "etc/a"), "1");
  ASSERT_TRUE(bottom->usage);
  // As a snapshot it is under another path: the layer above finds it all the same.
  ASSERT_TRUE(snapshotter_->adopt_layer(planned.chain_ids[0].to_string(), "", {}, *bottom));
  const auto top = request(planned.chain_ids[1]).get();
  ASSERT_TRUE(top);
  EXPECT_EQ(content(top->files / "etc/b"), "2");
  struct stat about {};
  ASSERT_EQ(::lstat((top->files / "etc").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0700U);
  EXPECT_FALSE(request(planned.chain_ids[0]).get()) << "a layer is given away once";
}

TEST_F(LayerUnpackerTest, WaitsForConfigAndBlobs) {
  const auto planned = image({bottom_});
  Arrival config(*store_, flights_, planned.config);
  Arrival blob(*store_, flights_, test::gzip(bottom_));
  pull(planned);
  auto layer = request(planned.chain_ids[0]);
  config.land();
  blob.bring(10);
  blob.land();
  ASSERT_TRUE(layer.get());
}

TEST_F(LayerUnpackerTest, TheUpperLayersMayComeFirst) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  keep(test::gzip(top_));
  Arrival blob(*store_, flights_, test::gzip(bottom_));
  pull(planned);
  auto top = request(planned.chain_ids[1]);
  blob.land();
  const auto layer = top.get();
  ASSERT_TRUE(layer);
  struct stat about {};
  ASSERT_EQ(::lstat((layer->files / "etc").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0700U);
}

TEST_F(LayerUnpackerTest, OffersNothingBeforeTheBlobIsVerified) {
  const auto planned = image({bottom_});
  keep(planned.config);
  const auto bytes = test::gzip(bottom_);
  Arrival blob(*store_, flights_, bytes);
  pull(planned);
  blob.bring(bytes.size());
  EXPECT_FALSE(request(planned.chain_ids[0], 20ms).get());
  blob.land();
  EXPECT_TRUE(request(planned.chain_ids[0]).get());
}

TEST_F(LayerUnpackerTest, AnswersWithNothingWhereItCannotHelp) {
  EXPECT_FALSE(request(sha256("of no plan")).get());

  const auto planned = image({bottom_, top_});
  keep(planned.config);
  Arrival blob(*store_, flights_, test::gzip(bottom_));
  keep(test::gzip(top_));
  pull(planned);
  auto bottom = request(planned.chain_ids[0]);
  auto top = request(planned.chain_ids[1]);
  blob.fail_with({Code::kUnavailable, "the registry went away"});
  EXPECT_FALSE(bottom.get());
  EXPECT_FALSE(top.get()) << "it lacks what the layer below would have given";
  unpacker_.reset();  // Until all that was posted is done.
  EXPECT_EQ(folders(), 0U);
}

TEST_F(LayerUnpackerTest, ALayerOfAnotherDiffIdIsNotOffered) {
  auto planned = image({bottom_});
  planned.manifest.layers[0].digest = keep(test::gzip(top_));
  keep(planned.config);
  pull(planned);
  EXPECT_FALSE(request(planned.chain_ids[0]).get());
}

TEST_F(LayerUnpackerTest, ReadersOfTheConfigWaitForAllLayers) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  keep(test::gzip(bottom_));
  Arrival blob(*store_, flights_, test::gzip(top_));
  std::promise<void> went;
  EXPECT_FALSE(unpacker_->hold(planned.manifest.config.digest, "k8s.io", [] {})) << "nothing is known of the image";
  pull(planned);
  ASSERT_TRUE(unpacker_->hold(planned.manifest.config.digest, "k8s.io", [&] { went.set_value(); }));
  EXPECT_FALSE(unpacker_->hold(planned.manifest.layers[0].digest, "k8s.io", [] {}));
  auto done = went.get_future();
  EXPECT_EQ(done.wait_for(20ms), std::future_status::timeout);
  blob.land();
  done.get();
  EXPECT_FALSE(unpacker_->hold(planned.manifest.config.digest, "k8s.io", [] {}));
  EXPECT_TRUE(request(planned.chain_ids[0], 1s).get()) << "on offer";
  EXPECT_TRUE(request(planned.chain_ids[1], 1s).get());
}

TEST_F(LayerUnpackerTest, NothingIsUnpackedAheadForWhoMayTakeNoLayers) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  for (const auto& tar : {bottom_, top_}) keep(test::gzip(tar));
  unpacker_->planned(manifest_digest(planned), planned.manifest);
  EXPECT_FALSE(unpacker_->hold(planned.manifest.layers[0].digest, "k8s.io", [] {})) << "layers alone tell nothing";
  unpacker_.reset();  // Until all that was posted is done.
  EXPECT_EQ(folders(), 0U);
}

TEST_F(LayerUnpackerTest, AClientThatAsksForALayerGetsItAndThoseAbove) {
  const auto other = image({TarWriter().file("x", "1").finish()});
  const auto planned = image({bottom_, top_});
  for (const auto& one : {planned, other}) {
    keep(one.config);
    unpacker_->planned(manifest_digest(one), one.manifest);
  }
  for (const auto& tar : {bottom_, top_}) keep(test::gzip(tar));
  EXPECT_TRUE(request(planned.chain_ids[0]).get());
  EXPECT_TRUE(request(planned.chain_ids[1]).get());
  EXPECT_FALSE(request(sha256("of no plan")).get());
  unpacker_.reset();
  EXPECT_EQ(folders(), 2U) << "of the other image, nothing";
}

TEST_F(LayerUnpackerTest, AnImageWhoseBlobsAreAllHereIsUnpackedForTheNextPullToo) {
  const auto planned = image({bottom_});
  keep(planned.config);
  keep(test::gzip(bottom_));
  pull(planned);
  const auto layer = request(planned.chain_ids[0]).get();
  ASSERT_TRUE(layer);
  folders_->remove(layer->files);  // The snapshotter did not take it after all.
  pull(planned);
  read_config(planned);
  EXPECT_TRUE(request(planned.chain_ids[0]).get());
}

TEST_F(LayerUnpackerTest, ADifferTakesLayersByWhatLiesBelow) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  for (const auto& tar : {bottom_, top_}) keep(test::gzip(tar));
  const auto upper = open_file(root(), O_RDONLY | O_DIRECTORY).value();
  const auto take = [&](std::size_t layer, const std::vector<int>& lowers) {
    return unpacker_->take(planned.manifest.layers[layer].digest, lowers, upper.get());
  };
  unpacker_->planned(manifest_digest(planned), planned.manifest);
  EXPECT_FALSE(take(0, {})) << "nothing is unpacked for a client that has not yet shown what it does";
  // The next pull is known to come by the differ.
  unpacker_->planned(manifest_digest(planned), planned.manifest);
  std::optional<ReadyLayer> bottom;
  while (!bottom) bottom = take(0, {});  // Until the plan is made.
  EXPECT_EQ(bottom->diff_id, sha256(bottom_));
  EXPECT_EQ(bottom->bytes, bottom_.size());
  EXPECT_EQ(content(bottom->files / "etc/a"), "1");
  std::filesystem::rename(bottom->files, root() / "moved");
  EXPECT_FALSE(take(1, {})) << "something lies below";
  EXPECT_FALSE(take(1, {upper.get()})) << "something else does";
  const auto lower = open_file(root() / "moved", O_RDONLY | O_DIRECTORY).value();
  const auto top = take(1, {lower.get()});
  ASSERT_TRUE(top);
  EXPECT_EQ(content(top->files / "etc/b"), "2");
}

TEST_F(LayerUnpackerTest, SlowDownloadsHoldUpNoOtherLayers) {
  std::vector<std::string> slow;
  for (int i = 0; i < 6; ++i) slow.push_back(TarWriter().file("slow" + std::to_string(i), "1").finish());
  const auto waiting = image(slow);
  keep(waiting.config);
  std::vector<std::unique_ptr<Arrival>> arrivals;
  for (const auto& tar : slow) arrivals.push_back(std::make_unique<Arrival>(*store_, flights_, test::gzip(tar)));
  for (const auto& arrival : arrivals) arrival->bring(20);
  pull(waiting);
  const auto ready = image({bottom_});
  keep(ready.config);
  keep(test::gzip(bottom_));
  pull(ready);
  EXPECT_TRUE(request(ready.chain_ids[0]).get()) << "two threads, six downloads that wait";
  for (const auto& arrival : arrivals) arrival->land();
  EXPECT_TRUE(request(waiting.chain_ids.back()).get());
}

TEST_F(LayerUnpackerTest, StopAnswersWhoWaits) {
  const auto planned = image({bottom_});
  keep(planned.config);
  Arrival blob(*store_, flights_, test::gzip(bottom_));
  pull(planned);
  auto layer = request(planned.chain_ids[0]);
  std::promise<void> went;
  ASSERT_TRUE(unpacker_->hold(planned.manifest.config.digest, "k8s.io", [&] { went.set_value(); }));
  unpacker_->stop();
  went.get_future().get();
  EXPECT_FALSE(layer.get());
  EXPECT_FALSE(request(planned.chain_ids[0]).get());
}

TEST_F(LayerUnpackerTest, TakesTheLowerLayersOfTheSnapshotter) {
  const auto lower = image({bottom_});
  keep(lower.config);
  keep(test::gzip(bottom_));
  pull(lower);
  ASSERT_TRUE(
      snapshotter_->adopt_layer(lower.chain_ids[0].to_string(), "", {}, request(lower.chain_ids[0]).get().value()));
  open();
  const auto both = image({bottom_, top_});
  keep(both.config);
  keep(test::gzip(top_));
  pull(both);
  const auto top = request(both.chain_ids[1]).get();
  ASSERT_TRUE(top);
  struct stat about {};
  ASSERT_EQ(::lstat((top->files / "etc").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0700U);
  EXPECT_EQ(folders(), 1U);
}

TEST_F(LayerUnpackerTest, OffersNothingThatWasFinishedFromLayersEvictedMeanwhile) {
  const auto lower = image({bottom_});
  const auto both = image({bottom_, top_});
  for (const auto& one : {lower, both}) keep(one.config);
  keep(test::gzip(bottom_));
  Arrival blob(*store_, flights_, test::gzip(top_));
  ASSERT_TRUE(prefetch(lower.manifest).get());
  auto outcome = prefetch(both.manifest);
  await_progress([](const auto&) { return true; });
  auto top = request(both.chain_ids[1]);
  EXPECT_EQ(kept_->evict(std::nullopt).layers, 1U);
  blob.land();
  EXPECT_FALSE(top.get()) << "its folder would have got another mode";
  const auto failed = outcome.get();
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("removed meanwhile"), std::string::npos) << failed.error().message;
}

TEST_F(LayerUnpackerTest, OffersNothingThatWasFinishedFromLayersCollectedMeanwhile) {
  const auto lower = image({bottom_});
  const auto both = image({bottom_, top_});
  for (const auto& one : {lower, both}) keep(one.config);
  keep(test::gzip(bottom_));
  Arrival blob(*store_, flights_, test::gzip(top_));
  pull(lower);
  const auto name = lower.chain_ids[0].to_string();
  ASSERT_TRUE(snapshotter_->adopt_layer(name, "", {}, request(lower.chain_ids[0]).get().value()));
  auto outcome = prefetch(both.manifest);
  const auto is_there = [](const auto& layer) { return layer.state == pull::UnpackState::kUnpacked; };
  for (auto layers = progress_->layers(); layers.empty() || !is_there(layers[0]); layers = progress_->layers()) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(snapshotter_->remove(name + "/1"));
  blob.land();
  EXPECT_FALSE(outcome.get());
  EXPECT_FALSE(request(both.chain_ids[1]).get());
}

TEST_F(LayerUnpackerTest, WhatRestsOnALayerThatADifferTookIsForTheSameDiffer) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  keep(test::gzip(bottom_));
  Arrival blob(*store_, flights_, test::gzip(top_));
  pull(planned);
  const auto upper = open_file(root(), O_RDONLY | O_DIRECTORY).value();
  std::optional<ReadyLayer> bottom;
  while (!bottom) bottom = unpacker_->take(planned.manifest.layers[0].digest, {}, upper.get());
  std::filesystem::rename(bottom->files, root() / "moved");
  blob.land();
  EXPECT_FALSE(request(planned.chain_ids[1]).get()) << "who knows what has become of the layer below";
  const auto lower = open_file(root() / "moved", O_RDONLY | O_DIRECTORY).value();
  EXPECT_TRUE(unpacker_->take(planned.manifest.layers[1].digest, {lower.get()}, upper.get()));
}

TEST_F(LayerUnpackerTest, WhatAPrefetchUnpackedIsKeptOverARestart) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  for (const auto& tar : {bottom_, top_}) keep(test::gzip(tar));
  ASSERT_TRUE(prefetch(planned.manifest).get());
  for (const auto& layer : progress_->layers()) EXPECT_EQ(layer.state, pull::UnpackState::kUnpacked);
  EXPECT_EQ(kept_->totals().layers, 2U);
  open();
  EXPECT_EQ(kept_->totals().layers, 2U);
  EXPECT_EQ(folders(), 0U);
  // Whoever pulls: with the mirror's knowledge of the image, and without.
  pull(planned);
  const auto bottom = request(planned.chain_ids[0]).get();
  ASSERT_TRUE(bottom);
  EXPECT_EQ(content(bottom->files / "etc/a"), "1");
  ASSERT_TRUE(snapshotter_->adopt_layer(planned.chain_ids[0].to_string(), "", {}, *bottom));
  open();
  const auto top = request(planned.chain_ids[1]).get();
  ASSERT_TRUE(top);
  EXPECT_EQ(content(top->files / "etc/b"), "2");
  EXPECT_EQ(kept_->totals().layers, 0U);
}

TEST_F(LayerUnpackerTest, APrefetchEndsWithWhyNot) {
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  keep(test::gzip(bottom_));
  Arrival blob(*store_, flights_, test::gzip(top_));
  auto outcome = prefetch(planned.manifest);
  blob.bring(10);
  // A layer that came later would find no download.
  const auto reads = [this] {
    const auto layers = progress_->layers();
    return !layers.empty() && layers.back().bytes > 0;
  };
  while (!reads()) std::this_thread::yield();
  blob.fail_with({Code::kUnavailable, "the registry went away"});
  const auto failed = outcome.get();
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("the registry went away"), std::string::npos);
  EXPECT_EQ(kept_->totals().layers, 1U) << "the other one is of use";

  EXPECT_FALSE(prefetch(image({"no config of it is here"}).manifest).get());
}

TEST_F(LayerUnpackerTest, APullTakesOverWhatAPrefetchHasBegun) {
  const auto planned = image({bottom_});
  keep(planned.config);
  Arrival blob(*store_, flights_, test::gzip(bottom_));
  auto outcome = prefetch(planned.manifest);
  pull(planned);
  auto layer = request(planned.chain_ids[0]);
  blob.land();
  EXPECT_TRUE(layer.get());
  EXPECT_TRUE(outcome.get());
}

TEST_F(LayerUnpackerTest, APrefetchDropsNoLayersOfItsOwnForOthers) {
  const std::string large(1U << 20U, 'x');
  const auto planned = image({TarWriter().file("a", large).finish(), TarWriter().file("b", large).finish()});
  unpacker_.reset();
  kept_.reset();
  store_.reset();
  store_ =
      store::Store::open({.content = dir_.path() / "content", .quota = 3U << 19U, .free_floor = 0}, clock_).value();
  open();
  keep(planned.config);
  for (const char* name : {"a", "b"}) keep(test::gzip(TarWriter().file(name, large).finish()));
  EXPECT_FALSE(prefetch(planned.manifest).get()) << "there is room for one of them";
  EXPECT_EQ(kept_->totals().layers, 1U);
  EXPECT_EQ(folders(), 1U) << "the other one is on offer for a while";
}

TEST_F(LayerUnpackerTest, WhatAPullUnpackedIsKeptOnceAPrefetchWantsIt) {
  const auto planned = image({bottom_});
  keep(planned.config);
  keep(test::gzip(bottom_));
  pull(planned);
  ASSERT_TRUE(prefetch(planned.manifest).get());
  EXPECT_EQ(kept_->totals().layers, 1U);
  EXPECT_EQ(folders(), 0U);
}

TEST_F(LayerUnpackerTest, LayersAboveGoOnOnceALayerHasBeenMovedToTheKeptOnes) {
  const auto lower = image({bottom_});
  const auto both = image({bottom_, top_});
  for (const auto& one : {lower, both}) keep(one.config);
  keep(test::gzip(bottom_));
  Arrival blob(*store_, flights_, test::gzip(top_));
  pull(lower);
  read_config(lower);  // Its layer is on offer.
  pull(both);
  auto top = request(both.chain_ids[1]);
  // Downloads that take all other threads.
  std::vector<std::string> slow;
  for (int i = 0; i < 31; ++i) slow.push_back(TarWriter().file("slow" + std::to_string(i), "1").finish());
  const auto waiting = image(slow);
  keep(waiting.config);
  std::vector<std::unique_ptr<Arrival>> arrivals;
  for (const auto& tar : slow) arrivals.push_back(std::make_unique<Arrival>(*store_, flights_, test::gzip(tar)));
  pull(waiting);
  const auto is_begun = [](const auto& layer) { return layer.state == pull::UnpackState::kUnpacking; };
  const auto others = prefetch(waiting.manifest);
  await_progress(is_begun);

  auto outcome = prefetch(both.manifest);
  await_progress(is_begun);  // The bottom layer anew: it is to be moved, for which no thread is free.
  blob.land();
  EXPECT_TRUE(top.get());
  for (const auto& arrival : arrivals) arrival->land();
  EXPECT_TRUE(outcome.get());
}

TEST_F(LayerUnpackerTest, DropsTheBlobOfWhatWasTakenIfAsked) {
  const auto planned = image({bottom_});
  keep(planned.config);
  const auto blob = keep(test::gzip(bottom_));
  EXPECT_TRUE(unpacker_->unneeded(planned.manifest).empty());
  options_.discard_blobs = true;
  open();
  pull(planned);
  const auto layer = request(planned.chain_ids[0]).get();
  ASSERT_TRUE(layer);
  EXPECT_TRUE(store_->find(blob)) << "nobody has the files yet";
  ASSERT_TRUE(snapshotter_->adopt_layer(planned.chain_ids[0].to_string(), "", {}, *layer));
  EXPECT_EQ(unpacker_->unneeded(planned.manifest), (std::set<Digest>{blob}));
  unpacker_.reset();  // Until all that was posted is done.
  EXPECT_FALSE(store_->find(blob));
}

TEST_F(LayerUnpackerTest, TheBlobOfALayerThatWasNotTakenStays) {
  options_.discard_blobs = true;
  open();
  const auto planned = image({bottom_, top_});
  keep(planned.config);
  const std::vector<Digest> blobs{keep(test::gzip(bottom_)), keep(test::gzip(top_))};
  ASSERT_TRUE(prefetch(planned.manifest).get());
  const auto top = request(planned.chain_ids[1]).get();
  ASSERT_TRUE(top);
  EXPECT_FALSE(snapshotter_->adopt_layer(planned.chain_ids[1].to_string(), "no such parent", {}, *top));
  EXPECT_EQ(kept_->evict(std::nullopt).layers, 1U);
  EXPECT_FALSE(request(planned.chain_ids[0]).get());
  unpacker_.reset();  // Until all that was posted is done.
  for (const auto& blob : blobs) EXPECT_TRUE(store_->find(blob));
}

TEST_F(LayerUnpackerTest, RemovesWhatAnEarlierProcessLeft) {
  std::filesystem::create_directories(root() / "layers/0/deep/er");
  open();
  EXPECT_EQ(folders(), 0U);
}

TEST_F(LayerUnpackerTest, UnpacksNothingOntoAFullDisk) {
  unpacker_.reset();
  folders_ = LayerFolders::open(root() / "layers", UINT64_MAX).value();
  unpacker_ = std::make_unique<LayerUnpacker>(services(), options_);
  const auto planned = image({bottom_});
  keep(planned.config);
  keep(test::gzip(bottom_));
  pull(planned);
  EXPECT_FALSE(request(planned.chain_ids[0]).get());
  EXPECT_EQ(folders(), 0U);
}

TEST_F(LayerUnpackerTest, LooksForRoomWhileItUnpacks) {
  unpacker_.reset();
  const test::TemporaryMount disk(root() / "layers", 0, "size=16m");
  if (!disk) GTEST_SKIP() << "may not mount";
  folders_ = LayerFolders::open(root() / "layers", 8U << 20U).value();
  unpacker_ = std::make_unique<LayerUnpacker>(services(), options_);
  // It would fit, but for the floor; and 4 MiB of it may be inflated ahead (unpack::Options).
  std::string bytes(15U << 20U, '\0');
  std::minstd_rand random;
  std::ranges::generate(bytes, [&] { return static_cast<char>(random() >> 8U); });
  const auto tar = TarWriter().file("large", bytes).finish();
  const auto planned = image({tar});
  keep(planned.config);
  keep(test::gzip(tar));
  pull(planned);
  EXPECT_FALSE(request(planned.chain_ids[0]).get());
  unpacker_.reset();
  EXPECT_EQ(folders(), 0U);
}

}  // namespace
}  // namespace paceline::layers
