#include "plugin/metrics/ended_pulls.h"

#include <algorithm>
#include <chrono>

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

void EndedPulls::ended(const pull::PullSnapshot& pull) {
  Labels labels{.source = std::string(pull::source_name(pull.source)),
                .result = result_of(pull.state),
                .policy = pull.policy,
                .size = size_class(pull.total_bytes)};
  const auto shared = std::ranges::count(pull.blobs, true, &pull::BlobProgress::shared);
  const std::lock_guard lock(mutex_);
  seen_.durations.try_emplace(std::move(labels), kBounds)
      .first->second.observe(std::chrono::duration<double>(pull.elapsed).count());
  seen_.resumed_bytes += pull.resumed_bytes;
  seen_.shared_blobs += static_cast<std::uint64_t>(shared);
}

EndedPulls::Snapshot EndedPulls::snapshot() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

}  // namespace paceline::metrics
