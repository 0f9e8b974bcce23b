#include "plugin/status/recent_starts.h"

#include <algorithm>

#include "plugin/base/log.h"

namespace paceline::status {

void RecentStarts::recall(records::RecordStore& store) {
  const auto kept = store.list(0, most_);
  if (!kept) {
    spdlog::warn("status: {}", kept.error().message);
    return;
  }
  const std::lock_guard lock(mutex_);
  for (const auto& summary : *kept) {
    const auto text = store.find(summary.pull_id);
    if (!text) continue;  // Gone meanwhile.
    if (auto record = records::from_json(*text)) starts_.push_back(std::move(*record));
  }
}

void RecentStarts::record(const records::ColdStart& record) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(starts_, record.pull_id, &records::ColdStart::pull_id);
  if (known != starts_.end()) {
    *known = record;
    return;
  }
  starts_.push_front(record);
  if (starts_.size() > most_) starts_.pop_back();
}

std::vector<records::ColdStart> RecentStarts::newest() const {
  const std::lock_guard lock(mutex_);
  return {starts_.begin(), starts_.end()};
}

}  // namespace paceline::status
