#include "plugin/store/partial_table.h"

#include <algorithm>

namespace paceline::store {
namespace {

// A download that failed is about to be tried again or handed over to containerd.
constexpr auto kKeepAfterUse = std::chrono::minutes(1);

}  // namespace

std::optional<PartialTable::Partial> PartialTable::claim(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[digest];
  if (entry.claimed) return std::nullopt;
  entry.claimed = true;
  return entry.partial;
}

std::optional<PartialTable::Partial> PartialTable::claim_existing(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end() || found->second.claimed) return std::nullopt;
  found->second.claimed = true;
  return found->second.partial;
}

void PartialTable::release(const Digest& digest, std::optional<Partial> left) {
  const std::lock_guard lock(mutex_);
  if (left) {
    entries_[digest] = {*left, false};
  } else {
    entries_.erase(digest);
  }
}

std::vector<BlobTable::Candidate> PartialTable::eviction_order(WallTime now) const {
  std::vector<BlobTable::Candidate> order;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [digest, entry] : entries_) {
      if (!entry.claimed && entry.partial.last_used + kKeepAfterUse <= now) {
        order.push_back({digest, entry.partial.allocated, entry.partial.last_used});
      }
    }
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.last_used < b.last_used; });
  return order;
}

}  // namespace paceline::store
