// The layers of one image that a prefetch waits for: how far they are, and whom to tell at the end.
// Thread rule: any thread; settle() under the mutex that guards the jobs' states.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "plugin/layers/layer_job.h"
#include "plugin/pull/plan_listener.h"

namespace paceline::layers {

class AwaitedUnpack final : public pull::UnpackProgress {
 public:
  using Jobs = std::vector<std::shared_ptr<LayerJob>>;

  explicit AwaitedUnpack(pull::PlanListener::Unpacked done) : done_(std::move(done)) {}

  [[nodiscard]] std::vector<pull::LayerProgress> layers() const override;
  /// The chain IDs of all layers, if the job is one of them.
  [[nodiscard]] std::set<Digest> layers_with(const LayerJob& job) const;
  /// Not ok: there is no plan, and there are no jobs.
  void planned(Jobs jobs, const Status& outcome);
  /// Whether all layers are resolved; then end() is due.
  bool settle();
  void end() const { done_(outcome_); }

 private:
  const pull::PlanListener::Unpacked done_;
  mutable std::mutex mutex_;
  bool planned_ = false;
  Jobs jobs_;
  Status outcome_;
};

}  // namespace paceline::layers
