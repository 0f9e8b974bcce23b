#include "plugin/layers/awaited_unpack.h"

#include <algorithm>

namespace paceline::layers {
namespace {

pull::UnpackState state_of(const LayerJob& job) {
  switch (job.state) {
    case LayerJob::State::kReady:
    case LayerJob::State::kTaken:
      return pull::UnpackState::kUnpacked;
    case LayerJob::State::kFailed:
      return pull::UnpackState::kFailed;
    default:
      return job.begun ? pull::UnpackState::kUnpacking : pull::UnpackState::kWaiting;
  }
}

}  // namespace

std::vector<pull::LayerProgress> AwaitedUnpack::layers() const {
  const std::lock_guard lock(mutex_);
  std::vector<pull::LayerProgress> all;
  all.reserve(jobs_.size());
  for (const auto& job : jobs_) {
    const auto state = state_of(*job);
    const bool whole = state == pull::UnpackState::kUnpacked;
    all.push_back({job->layer.blob, state, whole ? job->layer.size : job->read_bytes.load()});
  }
  return all;
}

std::set<Digest> AwaitedUnpack::layers_with(const LayerJob& job) const {
  const std::lock_guard lock(mutex_);
  std::set<Digest> layers;
  const bool has = std::ranges::any_of(jobs_, [&](const auto& one) { return one.get() == &job; });
  for (const auto& one : has ? jobs_ : Jobs()) layers.insert(one->layer.chain_id);
  return layers;
}

void AwaitedUnpack::planned(Jobs jobs, const Status& outcome) {
  const std::lock_guard lock(mutex_);
  jobs_ = std::move(jobs);
  outcome_ = outcome;
  planned_ = true;
}

bool AwaitedUnpack::settle() {
  const std::lock_guard lock(mutex_);
  if (!planned_ || !std::ranges::all_of(jobs_, [](const auto& job) { return job->resolved(); })) return false;
  for (const auto& job : jobs_) {
    if (outcome_ && !job->outcome) {
      outcome_ = fail(job->outcome.error().context("layer " + job->layer.blob.to_string() + " is not unpacked"));
    }
  }
  return true;
}

}  // namespace paceline::layers
