// What cold-start records say, in buckets: how long each phase took, and each layer. Fed by the recorder when a record
// is whole: the phases of the pull at its end, those of the container when its task runs. Prefetches are no cold
// starts. Thread rule: any thread.
#pragma once

#include <array>
#include <compare>
#include <map>
#include <mutex>
#include <string>

#include "plugin/metrics/histogram.h"
#include "plugin/records/listener.h"

namespace paceline::metrics {

class ColdStarts final : public records::Listener {
 public:
  /// Closer than the kubelet's, as policies are told apart by them.
  static constexpr std::array kBounds = {0.025, 0.05, 0.1,  0.25,  0.5,   0.75,  1.0,  1.5,  2.0,
                                         2.5,   3.0,  4.0,  5.0,   7.5,   10.0,  15.0, 20.0, 30.0,
                                         45.0,  60.0, 90.0, 120.0, 180.0, 300.0, 600.0};
  struct Labels {
    std::string policy;
    std::string phase;  ///< Of records::Phase, or "pull" or "total": all of the pull, of the cold start.
    auto operator<=>(const Labels&) const = default;
  };
  struct Snapshot {
    std::map<Labels, Histogram> phases;
    Histogram layer_fetches{kBounds};
    Histogram layer_unpacks{kBounds};
  };

  void record(const records::ColdStart& record) override;
  void layer_unpacked(Duration took) override;
  [[nodiscard]] Snapshot snapshot() const;

 private:
  mutable std::mutex mutex_;
  Snapshot seen_;
};

}  // namespace paceline::metrics
