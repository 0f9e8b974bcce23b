#include "plugin/cli/comparison.h"

#include <gtest/gtest.h>

namespace paceline::cli {
namespace {

analyze::Analysis image_of(const std::vector<adaptive::PullLayer>& loads, char kind) {
  analyze::Analysis out;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    analyze::LayerReport layer;
    layer.layer.digest = sha256(std::string(1, kind) + std::to_string(i));
    layer.compressed_bytes = loads[i].compressed_bytes;
    layer.uncompressed_bytes = loads[i].uncompressed_bytes;
    layer.entries = loads[i].files;
    out.layers.push_back(layer);
  }
  return out;
}

analyze::Target target() {
  analyze::Target out;
  out.path.link_rate = 12.5e6;
  out.path.rtt_registry = out.path.rtt_blob = std::chrono::milliseconds(20);
  return out;
}

TEST(Comparison, FactorsAddUpToTheDifference) {
  const auto a = image_of({{50'000'000, 150'000'000, 9000}, {10'000'000, 30'000'000, 50}}, 'a');
  const auto b = image_of({{20'000'000, 90'000'000, 70'000}}, 'b');
  const auto comparison = compare_images(a, b, target());
  double sum = 0;
  for (const auto& factor : comparison.factors) sum += factor.seconds;
  EXPECT_NEAR(sum, comparison.b.total() - comparison.a.total(), 1e-9);
  EXPECT_EQ(comparison.shared_blobs, 0U);
}

TEST(Comparison, NamesTheFactorThatChanged) {
  const auto a = image_of({{50'000'000, 150'000'000, 1000}}, 'a');
  EXPECT_EQ(compare_images(a, image_of({{10'000'000, 150'000'000, 1000}}, 'b'), target()).factors.front().name,
            "compressed bytes");
  EXPECT_EQ(compare_images(a, image_of({{50'000'000, 150'000'000, 900'000}}, 'b'), target()).factors.front().name,
            "files");
}

TEST(Comparison, SharedBlobsNeedNotComeTwice) {
  const auto a = image_of({{50'000'000, 150'000'000, 1000}, {1000, 2000, 3}}, 'a');
  auto b = image_of({{50'000'000, 150'000'000, 1000}, {1000, 2000, 3}}, 'a');
  b.layers[1].layer.digest = sha256("other");
  const auto comparison = compare_images(a, b, target());
  EXPECT_EQ(comparison.shared_blobs, 1U);
  EXPECT_EQ(comparison.shared_bytes, 50'000'000U);
  EXPECT_LT(comparison.b_after_a.total(), comparison.b.total() / 5);
  for (const auto& factor : comparison.factors) EXPECT_NEAR(factor.seconds, 0, 1e-9);
}

TEST(Comparison, ImagesOfNoLayers) {
  const auto comparison = compare_images(image_of({}, 'a'), image_of({{1000, 2000, 1}}, 'b'), target());
  ASSERT_EQ(comparison.factors.size(), 1U);
  EXPECT_EQ(compare_images(image_of({{1000, 2000, 1}}, 'b'), image_of({}, 'a'), target()).factors.size(), 4U);
}

TEST(Comparison, MediansOfWhatWasMeasured) {
  MeasuredPulls pulls;
  EXPECT_EQ(pulls.median().total, 0);
  pulls.pulls = {{1, 2, 3, 4, 10}, {2, 2, 2, 2, 8}, {9, 9, 9, 9, 36}};
  EXPECT_EQ(pulls.median().setup, 2);
  EXPECT_EQ(pulls.median().total, 10);
}

}  // namespace
}  // namespace paceline::cli
