#include "plugin/cli/report_statistics.h"

#include <algorithm>
#include <cmath>

namespace paceline::cli {
namespace {

// Efron and Tibshirani, "An Introduction to the Bootstrap": a thousand resamples for percentile intervals.
constexpr std::size_t kResamples = 1000;

/// xorshift64*: the standard's distributions may differ between libraries, and a report should not.
class Random {
 public:
  std::size_t below(std::size_t bound) {
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    const std::uint64_t high = (state_ * 0x2545F4914F6CDD1DULL) >> 32U;
    return static_cast<std::size_t>((high * bound) >> 32U);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

double middle(std::vector<double>& values) {
  const auto mid = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), mid, values.end());
  if (values.size() % 2 == 1) return *mid;
  return (*mid + *std::max_element(values.begin(), mid)) / 2;
}

double resampled_median(const std::vector<double>& values, Random& random, std::vector<double>& scratch) {
  scratch.resize(values.size());
  for (double& value : scratch) value = values[random.below(values.size())];
  return middle(scratch);
}

Interval percentile_interval(std::vector<double>& resamples) {
  std::sort(resamples.begin(), resamples.end());
  return {quantile(resamples, 0.025), quantile(resamples, 0.975)};
}

}  // namespace

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Statistics statistics(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Statistics out{values.size(), quantile(values, 0.5), std::nullopt, quantile(values, 0.9), quantile(values, 0.99)};
  if (values.size() < kFewest) return out;
  Random random;
  std::vector<double> medians, scratch;
  for (std::size_t i = 0; i < kResamples; ++i) medians.push_back(resampled_median(values, random, scratch));
  out.median_interval = percentile_interval(medians);
  return out;
}

std::optional<Difference> difference(const std::vector<double>& base, const std::vector<double>& other) {
  if (base.size() < kFewest || other.size() < kFewest) return std::nullopt;
  Random random;
  std::vector<double> parts, scratch;
  for (std::size_t i = 0; i < kResamples; ++i) {
    const double a = resampled_median(base, random, scratch);
    const double b = resampled_median(other, random, scratch);
    if (a > 0) parts.push_back(b / a - 1);
  }
  auto sample = base;
  const double a = middle(sample);
  sample = other;
  const double b = middle(sample);
  if (a <= 0 || parts.empty()) return std::nullopt;
  return Difference{b / a - 1, percentile_interval(parts)};
}

}  // namespace paceline::cli
