#include "adaptive/pull_model.h"

#include <gtest/gtest.h>

#include <random>

namespace paceline::adaptive {
namespace {

using std::chrono::milliseconds;

Path wan(double mbps, int rtt_ms) {
  Path p;
  p.link_rate = mbps * 1e6 / 8;
  p.rtt_registry = p.rtt_token = p.rtt_blob = milliseconds(rtt_ms);
  p.needs_token = false;
  p.index = false;
  return p;
}

double total(const std::vector<PullLayer>& layers, const Path& p, const NodeCosts& costs = {}) {
  return predict_pull(layers, p, costs).total();
}

/// Images of all kinds, the same each time.
std::vector<PullLayer> random_image(std::mt19937& random) {
  std::vector<PullLayer> layers(1 + random() % 12);
  for (PullLayer& layer : layers) {
    layer.compressed_bytes = 1000 + random() % (std::uint64_t{1} << (10 + random() % 18));
    layer.uncompressed_bytes = layer.compressed_bytes * (1 + random() % 4);
    layer.files = random() % 20'000;
  }
  return layers;
}

const double kRates[] = {10, 100, 1000};
const int kRtts[] = {1, 35, 150};

TEST(PullModel, PartsAddUpAndNothingIsFasterThanThePath) {
  std::mt19937 random(1);
  for (int i = 0; i < 60; ++i) {
    const auto layers = random_image(random);
    const Path p = wan(kRates[i % 3], kRtts[i / 3 % 3]);
    NodeCosts costs;
    costs.fill = 1;
    const auto predicted = predict_pull(layers, p, costs);
    EXPECT_NEAR(predicted.total(), predicted.setup + predicted.fetch + predicted.verify + predicted.unpack, 1e-12);
    EXPECT_GE(predicted.unpack, 0);
    std::uint64_t bytes = 0;
    for (const auto& layer : layers) bytes += layer.compressed_bytes;
    EXPECT_GE(predicted.total(), seconds(wire_floor(p, bytes)) - 1e-9);
    ASSERT_EQ(predicted.layers.size(), layers.size());
    for (const auto& layer : predicted.layers) {
      EXPECT_LE(layer.arrived, predicted.setup + predicted.fetch + 1e-9);
      EXPECT_GE(layer.unpacked, layer.arrived);
      EXPECT_LE(layer.unpacked, predicted.total() + 1e-9);
    }
  }
}

TEST(PullModel, LessToDoIsNeverSlower) {
  std::mt19937 random(2);
  for (int i = 0; i < 60; ++i) {
    const auto layers = random_image(random);
    const Path p = wan(kRates[i % 3], kRtts[i / 3 % 3]);
    const double before = total(layers, p);
    auto smaller = layers;
    auto& layer = smaller[random() % smaller.size()];
    layer.compressed_bytes /= 2;
    layer.uncompressed_bytes /= 2;
    layer.files /= 2;
    // What a layer less gives to the others is handed out in steps: a hundredth of the whole is noise.
    EXPECT_LE(total(smaller, p), before * 1.01) << i;
    smaller.erase(smaller.begin());
    EXPECT_LE(total(smaller, p), before * 1.01) << i;
  }
}

TEST(PullModel, ABetterPathOrNodeIsNeverSlower) {
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    const auto layers = random_image(random);
    const double here = total(layers, wan(100, 35));
    // A faster link takes another round of slow start before it is full.
    EXPECT_LE(total(layers, wan(200, 35)), here * 1.01 + 0.035);
    EXPECT_LE(total(layers, wan(100, 10)), here * 1.01);
    NodeCosts more;
    more.cores = 4;
    EXPECT_LE(total(layers, wan(100, 35), more), here * 1.01);
    NodeCosts slower;
    slower.unpack_file *= 3;
    EXPECT_GE(total(layers, wan(100, 35), slower), here * 0.99);
  }
}

TEST(PullModel, UnpackingHidesBehindASlowPathAndShowsOnAFastOne) {
  const std::vector<PullLayer> layers = {{40'000'000, 120'000'000, 10'000}, {40'000'000, 120'000'000, 10'000}};
  const auto slow = predict_pull(layers, wan(10, 35), {});
  EXPECT_LT(slow.unpack, 0.05 * slow.total());
  const auto fast = predict_pull(layers, wan(10'000, 1), {});
  EXPECT_GT(fast.unpack, 0.3 * fast.total());
}

TEST(PullModel, OneHugeLayerUnpacksOnFewerCoresThanTheSameInParts) {
  NodeCosts costs;
  costs.cores = 8;
  const std::vector<PullLayer> one = {{400'000'000, 1'200'000'000, 100'000}};
  const std::vector<PullLayer> four(4, PullLayer{100'000'000, 300'000'000, 25'000});
  EXPECT_LT(total(four, wan(10'000, 1), costs), 0.6 * total(one, wan(10'000, 1), costs));
}

TEST(PullModel, FilesCostAlsoWhenTheyAreEmpty) {
  const std::vector<PullLayer> few = {{1'000'000, 30'000'000, 100}};
  const std::vector<PullLayer> many = {{1'000'000, 30'000'000, 60'000}};
  EXPECT_NEAR(total(many, wan(1000, 5)) - total(few, wan(1000, 5)), 59'900 * NodeCosts{}.unpack_file, 0.5);
}

TEST(PullModel, WithoutUnpackingItEndsWhenAllIsStored) {
  const std::vector<PullLayer> layers = {{10'000'000, 30'000'000, 100'000}};
  const auto stored = predict_pull(layers, wan(1000, 5), {}, {.unpack = false});
  EXPECT_EQ(stored.unpack, 0);
  EXPECT_EQ(stored.layers[0].unpacked, 0);
  EXPECT_LT(stored.total(), total(layers, wan(1000, 5)));
}

TEST(PullModel, NothingToFetchTakesTheSetup) {
  const auto nothing = predict_pull({}, wan(100, 35), {});
  EXPECT_NEAR(nothing.total(), nothing.setup + nothing.fetch + nothing.verify, 1e-12);
  EXPECT_EQ(nothing.fetch, 0);
  EXPECT_LT(nothing.total(), 0.5);
  EXPECT_GE(total({{0, 0, 0}}, wan(100, 35)), 0);
}

TEST(PullModel, StreamsFollowTheControllersRules) {
  EXPECT_EQ(expected_streams(wan(100, 5), 100'000'000, {}), 6U);
  EXPECT_EQ(expected_streams(wan(100, 150), 100'000'000, {}), 16U);
  EXPECT_EQ(expected_streams(wan(100, 150), 600'000, {}), 2U);
  EXPECT_EQ(expected_streams(wan(100, 150), 100'000'000, {.fixed_streams = 3}), 3U);
  Path capped = wan(200, 35);
  capped.connection_cap = 600'000;
  EXPECT_EQ(expected_streams(capped, 100'000'000, {}), 32U);
}

TEST(PullModel, LossIsALimitOfEachStream) {
  Path lossy = wan(200, 70);
  lossy.loss = 0.01;
  EXPECT_NEAR(effective_path(lossy).connection_cap, loss_limited_rate(milliseconds(70), 0.01), 1);
  EXPECT_EQ(effective_path(wan(200, 70)).connection_cap, 0);
  const std::vector<PullLayer> layers = {{50'000'000, 100'000'000, 100}};
  EXPECT_GT(total(layers, lossy), total(layers, wan(200, 70)));
}

}  // namespace
}  // namespace paceline::adaptive
