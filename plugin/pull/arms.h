// The arms of an experiment: policies that pulls are given in turn, each registry its own turn, so that a node compares
// them on its own traffic. Thread rule: Arms from any thread (a mutex inside); Arm is a value.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin/config/config.h"

namespace paceline::pull {

struct Arm {
  config::Policy policy;

  [[nodiscard]] std::string name() const { return policy.name(); }
  void apply(config::Concurrency& concurrency) const;
};

class Arms {
 public:
  explicit Arms(std::vector<config::ExperimentArm> arms) { reconfigure(std::move(arms)); }
  void reconfigure(std::vector<config::ExperimentArm> arms);

  /// The next arm of this registry; empty when there is no experiment. Smooth weighted round-robin: of any run of pulls
  /// as long as the sum of the weights, each arm gets its weight, and none of them in one row.
  std::optional<Arm> next(const std::string& registry);

 private:
  std::mutex mutex_;
  std::vector<config::ExperimentArm> arms_;
  std::map<std::string, std::vector<long>> credit_;  // By registry; one for each arm.
};

}  // namespace paceline::pull
