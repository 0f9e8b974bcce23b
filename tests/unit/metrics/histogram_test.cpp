#include "plugin/metrics/histogram.h"

#include <gtest/gtest.h>

#include <array>

namespace paceline::metrics {
namespace {

TEST(Histogram, BoundsAreInclusiveAndTheLastBucketIsOpen) {
  static constexpr std::array kBounds = {0.5, 1.0};
  Histogram histogram(kBounds);
  for (const double seconds : {0.0, 0.5, 0.6, 1.0, 1.1, 50.0}) histogram.observe(seconds);
  EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{2, 2, 2}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 53.2);
}

}  // namespace
}  // namespace paceline::metrics
