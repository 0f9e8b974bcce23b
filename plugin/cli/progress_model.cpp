#include "plugin/cli/progress_model.h"

#include <algorithm>

namespace paceline::cli {

bool is_over(const v1::Pull& pull) {
  return pull.state() == v1::PULL_STATE_DONE || pull.state() == v1::PULL_STATE_FAILED ||
         pull.state() == v1::PULL_STATE_CANCELLED;
}

double Totals::fraction() const {
  if (sizes_known && total_bytes > 0) {
    return std::min(1.0, static_cast<double>(received_bytes) / static_cast<double>(total_bytes));
  }
  return images == 0 ? 0 : static_cast<double>(done + failed) / static_cast<double>(images);
}

void ProgressModel::update(const v1::Pull& pull, TimePoint now) {
  const auto [entry, added] = index_.try_emplace(pull.pull_id(), pulls_.size());
  if (added) {
    pulls_.push_back(pull);
  } else {
    pulls_[entry->second] = pull;
  }
  if (is_over(pull)) {
    speeds_.erase(pull.pull_id());
    pulls_[entry->second].clear_blobs();  // Not shown any more.
    return;
  }
  Speeds& speeds = speeds_[pull.pull_id()];
  for (const auto& blob : pull.blobs()) {
    const auto [speed, first] = speeds.try_emplace(blob.digest(), Speed{now, blob.received_bytes(), 0});
    const auto passed = now - speed->second.since;
    if (first || passed < kWindow) continue;
    const auto gained = static_cast<double>(blob.received_bytes()) - static_cast<double>(speed->second.bytes);
    speed->second = {now, blob.received_bytes(), std::max(0.0, gained / std::chrono::duration<double>(passed).count())};
  }
}

void ProgressModel::forget_finished() {
  std::erase_if(pulls_, is_over);
  index_.clear();
  for (std::size_t i = 0; i < pulls_.size(); ++i) index_[pulls_[i].pull_id()] = i;
}

double ProgressModel::blob_rate(const std::string& pull_id, const std::string& digest) const {
  const auto speeds = speeds_.find(pull_id);
  if (speeds == speeds_.end()) return 0;
  const auto speed = speeds->second.find(digest);
  return speed == speeds->second.end() ? 0 : speed->second.bytes_per_second;
}

Totals ProgressModel::totals() const {
  Totals sum;
  for (const auto& pull : pulls_) {
    ++sum.images;
    sum.received_bytes += pull.received_bytes();
    sum.total_bytes += pull.total_bytes();
    switch (pull.state()) {
      case v1::PULL_STATE_DONE:
        ++sum.done;
        break;
      case v1::PULL_STATE_FAILED:
      case v1::PULL_STATE_CANCELLED:
        // What will not come is not waited for.
        ++sum.failed;
        sum.total_bytes -= pull.total_bytes() - std::min(pull.total_bytes(), pull.received_bytes());
        break;
      case v1::PULL_STATE_QUEUED:
        ++sum.queued;
        break;
      default:
        ++sum.running;
        break;
    }
    if (is_over(pull)) continue;
    sum.streams += pull.streams();
    sum.bytes_per_second += pull.bytes_per_second();
    if (pull.blob_count() == 0) sum.sizes_known = false;
  }
  if (sum.sizes_known && sum.bytes_per_second >= 1 && sum.received_bytes < sum.total_bytes) {
    sum.seconds_left = static_cast<double>(sum.total_bytes - sum.received_bytes) / sum.bytes_per_second;
  }
  return sum;
}

}  // namespace paceline::cli
