// Remembers upstream's answers about manifests for a few seconds, so that containerd's HEAD (by tag) and the GET (by
// digest) that follows cost one upstream request. An answer is given only to the very same Authorization.
//
// Any thread; bounded in entries and bytes. Keys are digests: no credential is kept.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "plugin/base/clock.h"
#include "plugin/registry/repository.h"

namespace paceline::mirror {

using Answer = tl::expected<registry::Document, registry::Refusal>;

class DocumentCache {
 public:
  explicit DocumentCache(const Clock& clock) : clock_(clock) {}

  [[nodiscard]] std::optional<Answer> find(const registry::Repository& repository, const std::string& object);
  /// Documents are kept under `object` and under their digest. Of refusals only 429 and 503 are kept, for a moment:
  /// containerd 1.6 and 1.7 answer 429 with five requests at once.
  void insert(const registry::Repository& repository, const std::string& object, const Answer& answer);

 private:
  struct Entry {
    Digest key;
    std::shared_ptr<const Answer> answer;
    std::size_t bytes;
    TimePoint until;
  };
  using Entries = std::list<Entry>;

  void insert_locked(const Digest& key, const std::shared_ptr<const Answer>& answer, Duration life);
  void erase_locked(Entries::iterator entry);

  const Clock& clock_;
  std::mutex mutex_;
  Entries entries_;  // Oldest first.
  std::unordered_map<Digest, Entries::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace paceline::mirror
