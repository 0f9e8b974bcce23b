#include "plugin/pull/arms.h"

#include <algorithm>

namespace paceline::pull {
namespace {

// Registries come from requests: more than this are not counted one by one.
constexpr std::size_t kRegistries = 1000;

}  // namespace

void Arm::apply(config::Concurrency& concurrency) const {
  concurrency.mode = policy.mode;
  if (policy.mode != config::ConcurrencyMode::kFixed) return;
  concurrency.streams = policy.streams;
  concurrency.max_streams = std::max(concurrency.max_streams, policy.streams);
}

void Arms::reconfigure(std::vector<config::ExperimentArm> arms) {
  const std::lock_guard lock(mutex_);
  if (arms == arms_) return;
  arms_ = std::move(arms);
  credit_.clear();
}

std::optional<Arm> Arms::next(const std::string& registry) {
  const std::lock_guard lock(mutex_);
  if (arms_.empty()) return std::nullopt;
  const std::string key = credit_.size() < kRegistries || credit_.contains(registry) ? registry : std::string();
  auto& credit = credit_[key];
  credit.resize(arms_.size());
  long total = 0;
  for (std::size_t i = 0; i < arms_.size(); ++i) {
    credit[i] += arms_[i].weight;
    total += arms_[i].weight;
  }
  const auto best = std::max_element(credit.begin(), credit.end());
  *best -= total;
  return Arm{arms_[static_cast<std::size_t>(best - credit.begin())].policy};
}

}  // namespace paceline::pull
