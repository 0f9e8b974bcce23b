// Medians with intervals, and which group is faster. Pure functions; the bootstrap has a fixed seed, so that the same
// records give the same report. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace paceline::cli {

/// Of sorted values, linear between neighbours (type 7 of Hyndman and Fan); 0 for none.
[[nodiscard]] double quantile(const std::vector<double>& sorted, double q);

struct Interval {
  double low = 0;
  double high = 0;
};

struct Statistics {
  std::size_t count = 0;
  double median = 0;
  std::optional<Interval> median_interval;  ///< 95 %, by the percentile bootstrap; absent below kFewest values.
  double p90 = 0;
  double p99 = 0;
};

/// Fewer values than this say nothing about an interval.
inline constexpr std::size_t kFewest = 5;

[[nodiscard]] Statistics statistics(std::vector<double> values);

/// How much longer `other` takes than `base`, as a part of `base`: the difference of medians, and its 95 % interval.
struct Difference {
  double part = 0;
  Interval interval;
  [[nodiscard]] bool certain() const { return interval.low > 0 || interval.high < 0; }
};
/// Empty when either has fewer than kFewest values.
[[nodiscard]] std::optional<Difference> difference(const std::vector<double>& base, const std::vector<double>& other);

}  // namespace paceline::cli
