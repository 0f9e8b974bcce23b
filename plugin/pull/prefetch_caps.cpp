#include "plugin/pull/prefetch_caps.h"

#include <algorithm>

namespace paceline::pull {

PrefetchCaps::PrefetchCaps(const config::Config& config) { reconfigure(config, adaptive::Time{0}); }

void PrefetchCaps::reconfigure(const config::Config& config, adaptive::Time now) {
  config_ = config;
  all_.set_rate(config.prefetch.bytes_per_second, now);
  for (auto& [registry, cap] : one_each_) cap.set_rate(rate_of(registry), now);
}

std::uint64_t PrefetchCaps::rate_of(const std::string& registry) const {
  return config::concurrency_for(config_, registry, registry).prefetch_bytes_per_second;
}

void PrefetchCaps::take(const std::string& registry, std::uint64_t bytes, adaptive::Time now) {
  all_.take(bytes, now);
  // For every piece of a body that arrives: the rate is looked up once a registry.
  auto own = one_each_.find(registry);
  if (own == one_each_.end()) own = one_each_.emplace(registry, rate_of(registry)).first;
  own->second.take(bytes, now);
}

adaptive::Duration PrefetchCaps::wait(const std::string& registry, adaptive::Time now) const {
  const auto own = one_each_.find(registry);
  return std::max(all_.wait(now), own == one_each_.end() ? adaptive::Duration{0} : own->second.wait(now));
}

}  // namespace paceline::pull
