// A pull manager that does what the test says. Any thread.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/api/pull_control.h"

namespace paceline::test {

class FakePulls final : public api::PullControl {
 public:
  std::string start_prefetch(const pull::PrefetchRequest& request) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    pull::PullSnapshot pull;
    pull.id = "pull-" + std::to_string(requests_.size());
    pull.image = request.image.to_string();
    pull.platform = request.platform.value_or(oci::Platform::host()).to_string();
    pull.started = WallTime(std::chrono::seconds(1'700'000'000));
    pull.policy = "adaptive";
    if (on_start_) on_start_(pull);
    pulls_.insert(pulls_.begin(), pull);
    return pull.id;
  }
  [[nodiscard]] std::vector<pull::PullSnapshot> pulls() const override {
    const std::lock_guard lock(mutex_);
    return pulls_;
  }
  [[nodiscard]] std::optional<pull::PullSnapshot> find(const std::string& id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = locate(id);
    return found == pulls_.end() ? std::nullopt : std::optional(*found);
  }
  Status cancel(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const auto found = locate(id);
    if (found == pulls_.end()) return fail(Code::kNotFound, "no pull " + id);
    auto& pull = pulls_[static_cast<std::size_t>(found - pulls_.begin())];
    if (pull.finished) return fail(Code::kFailedPrecondition, "pull " + id + " is over already");
    pull.state = pull::PullState::kCancelled;
    pull.finished = pull.started + std::chrono::seconds(2);
    return {};
  }
  [[nodiscard]] std::vector<pull::PathSnapshot> paths() const override { return known_paths; }

  // ---- what tests do
  void change(const std::string& id, const std::function<void(pull::PullSnapshot&)>& change) {
    const std::lock_guard lock(mutex_);
    for (auto& pull : pulls_) {
      if (pull.id == id) change(pull);
    }
  }
  void finish(const std::string& id) {
    change(id, [](pull::PullSnapshot& pull) {
      pull.state = pull::PullState::kDone;
      pull.finished = pull.started + std::chrono::seconds(2);
      pull.elapsed = std::chrono::seconds(2);
      for (auto& blob : pull.blobs) {
        blob.received = blob.size;
        blob.done = true;
      }
      pull.received_bytes = pull.total_bytes;
    });
  }
  void forget(const std::string& id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(pulls_, [&id](const auto& pull) { return pull.id == id; });
  }
  [[nodiscard]] std::vector<pull::PrefetchRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// Runs under the lock for every new pull.
  void on_start(std::function<void(pull::PullSnapshot&)> hook) {
    const std::lock_guard lock(mutex_);
    on_start_ = std::move(hook);
  }
  std::vector<pull::PathSnapshot> known_paths;  ///< Set before the first call.

 private:
  [[nodiscard]] std::vector<pull::PullSnapshot>::const_iterator locate(const std::string& id) const {
    return std::find_if(pulls_.begin(), pulls_.end(), [&id](const auto& pull) { return pull.id == id; });
  }

  mutable std::mutex mutex_;
  std::function<void(pull::PullSnapshot&)> on_start_;
  std::vector<pull::PullSnapshot> pulls_;
  std::vector<pull::PrefetchRequest> requests_;
};

}  // namespace paceline::test
