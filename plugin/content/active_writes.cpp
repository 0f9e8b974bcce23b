#include "plugin/content/active_writes.h"

#include <utility>

namespace paceline::content {

ActiveWrites::Lock ActiveWrites::acquire(const std::string& ref, std::function<void()> abort) {
  const std::lock_guard lock(mutex_);
  const auto [it, is_new] = entries_.try_emplace(ref);
  if (!is_new) return it->second.ingest ? Lock::kVirtual : Lock::kWriting;
  it->second.abort = std::move(abort);
  return Lock::kTaken;
}

void ActiveWrites::release(const std::string& ref) {
  const std::lock_guard lock(mutex_);
  entries_.erase(ref);
}

void ActiveWrites::make_virtual(VirtualIngest ingest) {
  const std::lock_guard lock(mutex_);
  if (const auto it = entries_.find(ingest.ref); it != entries_.end()) it->second.ingest = std::move(ingest);
}

void ActiveWrites::make_plain(const std::string& ref) {
  const std::lock_guard lock(mutex_);
  if (const auto it = entries_.find(ref); it != entries_.end()) it->second.ingest.reset();
}

std::optional<VirtualIngest> ActiveWrites::find_virtual(const std::string& ref) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(ref);
  return it == entries_.end() ? std::nullopt : it->second.ingest;
}

std::vector<VirtualIngest> ActiveWrites::virtual_ingests() const {
  const std::lock_guard lock(mutex_);
  std::vector<VirtualIngest> all;
  for (const auto& [ref, entry] : entries_) {
    if (entry.ingest) all.push_back(*entry.ingest);
  }
  return all;
}

bool ActiveWrites::abort(const std::string& ref) {
  std::function<void()> abort;
  {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(ref);
    if (it == entries_.end()) return false;
    abort = std::exchange(it->second.abort, nullptr);
  }
  if (abort) abort();
  return true;
}

}  // namespace paceline::content
