#include "plugin/layers/job_table.h"

#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace paceline::layers {
namespace {

using State = LayerJob::State;

// In the order of turns, what somebody waits for goes first.
constexpr unpack::WorkerSlots::Rank kBackground = 1ULL << 63U;

bool is_same_folder(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

bool lies_on(const LayerJob& job, const std::vector<int>& lowers) {
  const auto* below = job.below.get();
  for (const int lower : lowers) {
    if (below == nullptr || !below->has_files() || !is_same_folder(below->folder.get(), lower)) return false;
    below = below->below.get();
  }
  return below == nullptr;
}

bool waits_for_lowers(const LayerJob& job) {
  if (job.unfinished.empty()) return false;
  for (const auto* lower = job.below.get(); lower != nullptr; lower = lower->below.get()) {
    if (!lower->resolved()) return true;
  }
  return false;
}

Result<std::vector<LowerLayer>> lowers_of(const LayerJob& job) {
  std::vector<LowerLayer> lowers;
  if (job.unfinished.empty()) return lowers;
  for (const auto* lower = job.below.get(); lower != nullptr; lower = lower->below.get()) {
    if (!lower->has_files()) return fail(Code::kCancelled, "a layer below it could not be unpacked");
    lowers.push_back({lower, lower->path});
  }
  return lowers;
}

}  // namespace

JobTable::Image JobTable::add(const std::vector<PlannedLayer>& layers, bool foreground, Order order, KeptLayers& kept) {
  std::vector<std::size_t> turns(layers.size());
  std::iota(turns.begin(), turns.end(), std::size_t{0});
  if (order == Order::kLargestFirst) {
    std::ranges::stable_sort(turns, std::greater(), [&](std::size_t layer) { return layers[layer].size; });
  }
  std::vector<unpack::WorkerSlots::Rank> ranks(layers.size());
  for (const auto layer : turns) ranks[layer] = next_rank_++ + (foreground ? 0 : kBackground);

  Image image;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Job below = image.all.empty() ? nullptr : image.all.back();
    image.all.push_back(job_for(layers[i], below, ranks[i], foreground, kept, image.due));
  }
  return image;
}

JobTable::Job JobTable::job_for(const PlannedLayer& layer, const Job& below, unpack::WorkerSlots::Rank rank,
                                bool foreground, KeptLayers& kept, std::vector<Job>& due) {
  auto& job = jobs_[layer.chain_id.to_string()];
  // What was taken may have been removed since, and what was kept, dropped: the new job looks.
  if (job == nullptr || job->state == State::kTaken || job->state == State::kFailed ||
      (job->state == State::kReady && job->kept && !kept.find(layer.chain_id))) {
    job = std::make_shared<LayerJob>(layer, below, rank);
    due.push_back(job);
  } else if (foreground && job->rank >= kBackground) {
    job->rank = rank;
    if (!job->begun) due.push_back(job);
  }
  return job;
}

JobTable::Job JobTable::find(const std::string& chain_id) const {
  const auto it = jobs_.find(chain_id);
  return it == jobs_.end() ? nullptr : it->second;
}

JobTable::Job JobTable::find_on(const Digest& blob, const std::vector<int>& lowers) const {
  for (const auto& [chain_id, job] : jobs_) {
    if (job->layer.blob == blob && lies_on(*job, lowers)) return job;
  }
  return nullptr;
}

std::optional<JobTable::ToFinish> JobTable::next_to_finish() const {
  for (const auto& [chain_id, job] : jobs_) {
    if (job->state == State::kUnpacked && !waits_for_lowers(*job)) return ToFinish{job, lowers_of(*job)};
  }
  return std::nullopt;
}

std::vector<JobTable::Job> JobTable::take_expired(TimePoint latest) {
  std::vector<Job> expired;
  for (const auto& [chain_id, job] : jobs_) {
    if (is_expired(*job, latest)) expired.push_back(job);
  }
  for (const Job& job : expired) jobs_.erase(job->layer.chain_id.to_string());
  return expired;
}

/// Kept as long as a layer below or above is under way: containerd comes for them in turn.
bool JobTable::is_expired(const LayerJob& job, TimePoint latest) const {
  for (const auto* lower = &job; lower != nullptr; lower = lower->below.get()) {
    if (!lower->resolved() || lower->resolved_at > latest) return false;
  }
  return std::none_of(jobs_.begin(), jobs_.end(), [&](const auto& entry) {
    if (entry.second->resolved()) return false;
    for (const auto* lower = entry.second->below.get(); lower != nullptr; lower = lower->below.get()) {
      if (lower == &job) return true;
    }
    return false;
  });
}

}  // namespace paceline::layers
