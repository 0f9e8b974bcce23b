// What the configuration says of pulls at this moment; a reload changes it. Any thread.
#pragma once

#include <mutex>
#include <string>

#include "plugin/config/config.h"

namespace paceline::pull {

class Settings {
 public:
  explicit Settings(const config::Config& config) : config_(config) {}
  void change(const config::Config& config) {
    const std::lock_guard lock(mutex_);
    config_ = config;
  }

  /// "adaptive", or "fixed:8".
  [[nodiscard]] std::string policy(const std::string& registry) const;
  [[nodiscard]] unsigned max_streams(const std::string& registry) const;
  [[nodiscard]] unsigned max_pulls() const;
  /// Whether a prefetch that says nothing of it goes on to unpacked layers.
  [[nodiscard]] bool unpacks_prefetches() const;

 private:
  mutable std::mutex mutex_;
  config::Config config_;
};

}  // namespace paceline::pull
