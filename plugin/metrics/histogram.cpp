#include "plugin/metrics/histogram.h"

#include <algorithm>
#include <iterator>

namespace paceline::metrics {

void Histogram::observe(double seconds) {
  const auto bucket = std::distance(bounds_.begin(), std::ranges::lower_bound(bounds_, seconds));
  ++counts_.at(static_cast<std::size_t>(bucket));
  sum_ += seconds;
}

}  // namespace paceline::metrics
