// All blobs of the store, in memory: what find() and list() answer from. Any thread; no call does I/O.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "plugin/store/store.h"

namespace paceline::store {

class BlobTable {
 public:
  struct Entry {
    BlobInfo info;               ///< info.pinned is filled in on the way out.
    std::uint64_t id = 0;        ///< Differs between two lives of one digest.
    WallTime kept_until;         ///< Not evicted for space before: a pull under way is about to ask for it.
    WallTime last_use_recorded;  ///< What the file's access time says (hidden blobs).
  };
  struct Totals {
    std::uint64_t listed_blobs = 0, listed_bytes = 0;
    std::uint64_t hidden_blobs = 0, hidden_bytes = 0;
  };
  struct Candidate {
    Digest digest;
    std::uint64_t size = 0;
    WallTime last_used;
  };

  [[nodiscard]] std::optional<Entry> find(const Digest& digest) const;
  [[nodiscard]] std::vector<BlobInfo> list(std::optional<Visibility> visibility) const;
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] std::uint64_t pinned_bytes() const;

  void insert(const BlobInfo& info, WallTime kept_until = {});
  /// Takes the entry out; empty when there is none.
  std::optional<Entry> take(const Digest& digest);
  /// Takes it out only while hidden, unpinned and unclaimed: from then on nobody finds it, and its file may go.
  std::optional<Entry> take_if_evictable(const Digest& digest);
  void put_back(const Entry& entry);
  /// Applies `change` to the entry's info, and answers it; empty when absent.
  std::optional<BlobInfo> change(const Digest& digest, const std::function<void(BlobInfo&)>& change);

  /// Notes a use. True when the file's access time is due for an update (once a minute at most).
  bool touch(const Digest& digest, WallTime now);
  /// Hidden, unpinned, unclaimed blobs that may go for space, least recently used first.
  [[nodiscard]] std::vector<Candidate> eviction_order(WallTime now) const;

  /// A blob may be pinned before it is there, and by several names.
  void pin(const std::vector<Digest>& digests);
  void unpin(const std::vector<Digest>& digests);

  /// Finds a blob and keeps it from eviction until as many releases; empty when it is not there.
  std::optional<BlobInfo> claim(const Digest& digest);
  void release(const Digest& digest);

 private:
  [[nodiscard]] Entry with_pin(const Entry& entry) const;
  [[nodiscard]] bool evictable(const BlobInfo& info) const;
  void count(const BlobInfo& info, bool in);

  mutable std::mutex mutex_;
  std::unordered_map<Digest, Entry> entries_;
  std::unordered_map<Digest, unsigned> pins_;
  std::unordered_map<Digest, unsigned> claims_;
  Totals totals_;
  std::uint64_t next_id_ = 1;
};

}  // namespace paceline::store
