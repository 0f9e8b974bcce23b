// The bandwidth caps of prefetches: one over all of them, one a registry. Says how long to wait, pauses nothing itself.
// Values only; one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "adaptive/rate_cap.h"
#include "plugin/config/config.h"

namespace paceline::pull {

class PrefetchCaps {
 public:
  explicit PrefetchCaps(const config::Config& config);
  void reconfigure(const config::Config& config, adaptive::Time now);

  /// `bytes` of a prefetch from `registry` (as in an image reference) have arrived.
  void take(const std::string& registry, std::uint64_t bytes, adaptive::Time now);
  /// How long to read nothing from it from now on; 0 = go on.
  [[nodiscard]] adaptive::Duration wait(const std::string& registry, adaptive::Time now) const;

 private:
  [[nodiscard]] std::uint64_t rate_of(const std::string& registry) const;

  adaptive::RateCap all_;
  config::Config config_;
  std::map<std::string, adaptive::RateCap> one_each_;  // of registries seen
};

}  // namespace paceline::pull
