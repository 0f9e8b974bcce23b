#include "plugin/store/descriptor_cache.h"

#include <utility>

namespace paceline::store {

std::shared_ptr<const OpenBlob> DescriptorCache::find(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(digest);
  if (found == index_.end()) return nullptr;
  items_.splice(items_.begin(), items_, found->second);
  return found->second->blob;
}

void DescriptorCache::insert(const Digest& digest, std::shared_ptr<const OpenBlob> blob) {
  std::list<Item> dropped;
  const std::lock_guard lock(mutex_);
  if (const auto found = index_.find(digest); found != index_.end()) {
    dropped.splice(dropped.begin(), items_, found->second);
    index_.erase(found);
  }
  items_.push_front({digest, std::move(blob)});
  index_[digest] = items_.begin();
  while (items_.size() > capacity_) {
    index_.erase(items_.back().digest);
    dropped.splice(dropped.begin(), items_, std::prev(items_.end()));
  }
}

void DescriptorCache::erase(const Digest& digest) {
  std::list<Item> dropped;
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(digest);
  if (found == index_.end()) return;
  dropped.splice(dropped.begin(), items_, found->second);
  index_.erase(found);
}

}  // namespace paceline::store
