#include "plugin/mirror/document_cache.h"

namespace paceline::mirror {
namespace {

// Between containerd's HEAD and its GETs lie milliseconds; a tag that moves should be seen soon.
constexpr Duration kDocumentLife = std::chrono::seconds(5);
constexpr Duration kRefusalLife = std::chrono::seconds(1);
constexpr std::size_t kMaxEntries = 512;
constexpr std::size_t kMaxBytes = 16U << 20U;

Digest key_of(const registry::Repository& repository, const std::string& object) {
  Sha256 hash;
  for (const auto& part :
       {repository.registry(), repository.repository(), object, repository.access().authorization.reveal()}) {
    hash.update(std::to_string(part.size()) + ":");
    hash.update(part);
  }
  return hash.digest();
}

}  // namespace

std::optional<Answer> DocumentCache::find(const registry::Repository& repository, const std::string& object) {
  const Digest key = key_of(repository, object);
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->until <= clock_.now()) return std::nullopt;
  return *found->second->answer;
}

void DocumentCache::insert(const registry::Repository& repository, const std::string& object, const Answer& answer) {
  const bool busy = !answer && (answer.error().status == 429 || answer.error().status == 503);
  if (!answer && !busy) return;
  const Digest key = key_of(repository, object);
  const auto shared = std::make_shared<const Answer>(answer);
  const std::lock_guard lock(mutex_);
  if (!answer) return insert_locked(key, shared, kRefusalLife);
  insert_locked(key, shared, kDocumentLife);
  const Digest by_digest = key_of(repository, answer->digest.to_string());
  if (by_digest != key) insert_locked(by_digest, shared, kDocumentLife);
}

void DocumentCache::insert_locked(const Digest& key, const std::shared_ptr<const Answer>& answer, Duration life) {
  if (const auto old = by_key_.find(key); old != by_key_.end()) erase_locked(old->second);
  const std::size_t bytes = *answer ? (*answer)->bytes.size() : answer->error().body.size();
  const TimePoint now = clock_.now();
  while (!entries_.empty() &&
         (entries_.front().until <= now || entries_.size() >= kMaxEntries || bytes_ + bytes > kMaxBytes)) {
    erase_locked(entries_.begin());
  }
  entries_.push_back({key, answer, bytes, now + life});
  by_key_[key] = std::prev(entries_.end());
  bytes_ += bytes;
}

void DocumentCache::erase_locked(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace paceline::mirror
