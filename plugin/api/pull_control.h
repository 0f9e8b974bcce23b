// What the API needs of the pull manager: the seam at which tests put a fake.
// Thread rule: any thread. start_prefetch() may block; the rest do not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/pull/pull_manager.h"

namespace paceline::api {

class PullControl {
 public:
  virtual ~PullControl() = default;
  virtual std::string start_prefetch(const pull::PrefetchRequest& request) = 0;
  [[nodiscard]] virtual std::vector<pull::PullSnapshot> pulls() const = 0;
  [[nodiscard]] virtual std::optional<pull::PullSnapshot> find(const std::string& id) const = 0;
  virtual Status cancel(const std::string& id) = 0;
  [[nodiscard]] virtual std::vector<pull::PathSnapshot> paths() const = 0;
};

/// The real one; borrows the manager.
class ManagedPulls final : public PullControl {
 public:
  explicit ManagedPulls(pull::PullManager& manager) : manager_(manager) {}
  std::string start_prefetch(const pull::PrefetchRequest& request) override;
  [[nodiscard]] std::vector<pull::PullSnapshot> pulls() const override;
  [[nodiscard]] std::optional<pull::PullSnapshot> find(const std::string& id) const override;
  Status cancel(const std::string& id) override;
  [[nodiscard]] std::vector<pull::PathSnapshot> paths() const override;

 private:
  pull::PullManager& manager_;
};

}  // namespace paceline::api
