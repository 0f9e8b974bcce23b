#include "plugin/pull/settings.h"

#include <fmt/format.h>

namespace paceline::pull {

std::string Settings::policy(const std::string& registry) const {
  const std::lock_guard lock(mutex_);
  const auto& concurrency = config::concurrency_for(config_, registry, registry);
  return concurrency.mode == config::ConcurrencyMode::kFixed ? fmt::format("fixed:{}", concurrency.streams)
                                                             : "adaptive";
}

unsigned Settings::max_streams(const std::string& registry) const {
  const std::lock_guard lock(mutex_);
  return config::concurrency_for(config_, registry, registry).max_streams;
}

unsigned Settings::max_pulls() const {
  const std::lock_guard lock(mutex_);
  return config_.fetch.max_pulls;
}

bool Settings::unpacks_prefetches() const {
  const std::lock_guard lock(mutex_);
  return config_.prefetch.unpack;
}

}  // namespace paceline::pull
