// Durations counted in buckets. A value; whoever shares one guards it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace paceline::metrics {

class Histogram {
 public:
  /// `bounds`: inclusive upper bounds in seconds, ascending; they outlive this.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds), counts_(bounds.size() + 1) {}

  void observe(double seconds);

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  /// Each bucket's own, not cumulated; the last is above all bounds.
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  [[nodiscard]] double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

}  // namespace paceline::metrics
