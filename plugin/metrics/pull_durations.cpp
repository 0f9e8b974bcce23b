#include "plugin/metrics/pull_durations.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace paceline::metrics {
namespace {

constexpr std::uint64_t kMega = 1ULL << 20U;
constexpr std::uint64_t kGiga = 1ULL << 30U;

struct SizeClass {
  std::uint64_t most;  ///< Bytes, inclusive.
  const char* name;
};
// The names say MB and GB; as with the kubelet the borders are powers of two.
constexpr std::array<SizeClass, 6> kSizeClasses = {{{10 * kMega, "0-10MB"},
                                                    {100 * kMega, "10MB-100MB"},
                                                    {500 * kMega, "100MB-500MB"},
                                                    {kGiga, "500MB-1GB"},
                                                    {5 * kGiga, "1GB-5GB"},
                                                    {10 * kGiga, "5GB-10GB"}}};

std::string result_of(pull::PullState state) {
  return state == pull::PullState::kDone ? "ok" : std::string(pull::state_name(state));
}

}  // namespace

std::string size_class(std::uint64_t bytes) {
  if (bytes == 0) return "N/A";
  const auto* const found = std::ranges::lower_bound(kSizeClasses, bytes, {}, &SizeClass::most);
  return found == kSizeClasses.end() ? "GT10GB" : found->name;
}

void PullDurations::ended(const pull::PullSnapshot& pull) {
  const double seconds = std::chrono::duration<double>(pull.elapsed).count();
  const auto bucket = std::distance(kBounds.begin(), std::ranges::lower_bound(kBounds, seconds));
  Labels labels{.source = std::string(pull::source_name(pull.source)),
                .result = result_of(pull.state),
                .policy = pull.policy,
                .size = size_class(pull.total_bytes)};
  const std::lock_guard lock(mutex_);
  auto& histogram = series_[std::move(labels)];
  ++histogram.counts.at(static_cast<std::size_t>(bucket));
  histogram.seconds += seconds;
}

PullDurations::Series PullDurations::series() const {
  const std::lock_guard lock(mutex_);
  return series_;
}

}  // namespace paceline::metrics
