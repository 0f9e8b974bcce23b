// What pulls tell at their end: how long they took, and what they did not have to fetch. Size classes, and buckets from
// a second on, are those of the kubelet's kubelet_image_pull_duration_seconds, so that the two can be laid over each
// other; the buckets below a second are ours. Thread rule: any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "plugin/metrics/histogram.h"
#include "plugin/pull/end_listener.h"

namespace paceline::metrics {

/// The kubelet's class of an image's compressed size in bytes; "N/A" for 0: the pull ended before it was known.
std::string size_class(std::uint64_t bytes);

class EndedPulls final : public pull::EndListener {
 public:
  static constexpr std::array kBounds = {0.1,   0.25,  0.5,   1.0,   5.0,    10.0,   20.0,   30.0,  60.0,
                                         180.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0};
  struct Labels {
    std::string source, result, policy, size;
    auto operator<=>(const Labels&) const = default;
  };
  struct Snapshot {
    std::map<Labels, Histogram> durations;
    std::uint64_t resumed_bytes = 0;  ///< Were there from an interrupted download.
    std::uint64_t shared_blobs = 0;   ///< Came with another pull's download.
  };

  void ended(const pull::PullSnapshot& pull) override;
  [[nodiscard]] Snapshot snapshot() const;

 private:
  mutable std::mutex mutex_;
  Snapshot seen_;
};

}  // namespace paceline::metrics
