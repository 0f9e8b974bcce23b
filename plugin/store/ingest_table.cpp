#include "plugin/store/ingest_table.h"

namespace paceline::store {

Result<std::optional<IngestStatus>> IngestTable::claim(const std::string& ref) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[ref];
  if (entry.claimed) return fail(Code::kUnavailable, "ref '" + ref.substr(0, 200) + "' is locked by another writer");
  entry.claimed = true;
  return entry.status;
}

void IngestTable::publish(const IngestStatus& status) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(status.ref); found != entries_.end()) found->second.status = status;
}

void IngestTable::release(const std::string& ref, bool keep) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(ref);
  if (found == entries_.end()) return;
  if (keep && found->second.status) {
    found->second.claimed = false;
  } else {
    entries_.erase(found);
  }
}

void IngestTable::add(const IngestStatus& status) {
  const std::lock_guard lock(mutex_);
  entries_[status.ref] = {status, false};
}

std::optional<IngestStatus> IngestTable::find(const std::string& ref) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(ref);
  return found == entries_.end() ? std::nullopt : found->second.status;
}

std::vector<IngestStatus> IngestTable::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<IngestStatus> out;
  for (const auto& [ref, entry] : entries_) {
    if (entry.status) out.push_back(*entry.status);
  }
  return out;
}

}  // namespace paceline::store
