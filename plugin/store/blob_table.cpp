#include "plugin/store/blob_table.h"

#include <algorithm>

namespace paceline::store {
namespace {

constexpr auto kRecordUseEvery = std::chrono::minutes(1);

void drop_one(std::unordered_map<Digest, unsigned>& counts, const Digest& digest) {
  const auto found = counts.find(digest);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

}  // namespace

BlobTable::Entry BlobTable::with_pin(const Entry& entry) const {
  Entry out = entry;
  out.info.pinned = pins_.contains(entry.info.digest);
  return out;
}

bool BlobTable::evictable(const BlobInfo& info) const {
  return info.visibility == Visibility::kHidden && !pins_.contains(info.digest) && !claims_.contains(info.digest);
}

void BlobTable::count(const BlobInfo& info, bool in) {
  const bool listed = info.visibility == Visibility::kListed;
  auto& blobs = listed ? totals_.listed_blobs : totals_.hidden_blobs;
  auto& bytes = listed ? totals_.listed_bytes : totals_.hidden_bytes;
  blobs = in ? blobs + 1 : blobs - 1;
  bytes = in ? bytes + info.size : bytes - info.size;
}

std::optional<BlobTable::Entry> BlobTable::find(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  return with_pin(found->second);
}

std::vector<BlobInfo> BlobTable::list(std::optional<Visibility> visibility) const {
  const std::lock_guard lock(mutex_);
  std::vector<BlobInfo> out;
  out.reserve(entries_.size());
  for (const auto& [digest, entry] : entries_) {
    if (!visibility || entry.info.visibility == *visibility) out.push_back(with_pin(entry).info);
  }
  return out;
}

BlobTable::Totals BlobTable::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::uint64_t BlobTable::pinned_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [digest, pins] : pins_) {
    if (const auto found = entries_.find(digest); found != entries_.end()) sum += found->second.info.size;
  }
  return sum;
}

void BlobTable::insert(const BlobInfo& info, WallTime kept_until) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(info.digest); found != entries_.end()) count(found->second.info, false);
  entries_[info.digest] = {info, next_id_++, kept_until, info.last_used};
  count(info, true);
}

std::optional<BlobTable::Entry> BlobTable::take(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  const Entry entry = with_pin(found->second);
  count(entry.info, false);
  entries_.erase(found);
  return entry;
}

std::optional<BlobTable::Entry> BlobTable::take_if_evictable(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end() || !evictable(found->second.info)) return std::nullopt;
  const Entry entry = found->second;
  count(entry.info, false);
  entries_.erase(found);
  return entry;
}

void BlobTable::put_back(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (entries_.emplace(entry.info.digest, entry).second) count(entry.info, true);
}

std::optional<BlobInfo> BlobTable::change(const Digest& digest, const std::function<void(BlobInfo&)>& change) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  count(found->second.info, false);
  change(found->second.info);
  count(found->second.info, true);
  return with_pin(found->second).info;
}

bool BlobTable::touch(const Digest& digest, WallTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  entry.info.last_used = now;
  if (entry.info.visibility == Visibility::kListed || now - entry.last_use_recorded < kRecordUseEvery) return false;
  entry.last_use_recorded = now;
  return true;
}

std::vector<BlobTable::Candidate> BlobTable::eviction_order(WallTime now) const {
  std::vector<Candidate> order;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [digest, entry] : entries_) {
      if (evictable(entry.info) && entry.kept_until <= now) {
        order.push_back({digest, entry.info.size, entry.info.last_used});
      }
    }
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.last_used < b.last_used; });
  return order;
}

void BlobTable::pin(const std::vector<Digest>& digests) {
  const std::lock_guard lock(mutex_);
  for (const auto& digest : digests) ++pins_[digest];
}

void BlobTable::unpin(const std::vector<Digest>& digests) {
  const std::lock_guard lock(mutex_);
  for (const auto& digest : digests) drop_one(pins_, digest);
}

std::optional<BlobInfo> BlobTable::claim(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  ++claims_[digest];
  return with_pin(found->second).info;
}

void BlobTable::release(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  drop_one(claims_, digest);
}

}  // namespace paceline::store
