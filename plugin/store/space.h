// Who may take how much disk: the quota over all blobs and partial downloads, and the free-space floor of the file
// system. Makes room by evicting, least recently used first. Any thread; evicting does disk I/O, outside the mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/store/background.h"
#include "plugin/store/blob_table.h"
#include "plugin/store/evictions.h"

namespace paceline::store {

/// What may go, in order, and how it goes (false: it could not, or was just taken into use).
struct Evictor {
  std::function<std::vector<BlobTable::Candidate>()> order;
  std::function<bool(const BlobTable::Candidate&)> evict;
};

class Space {
 public:
  Space(std::filesystem::path content, std::uint64_t quota, std::uint64_t floor, const BlobTable& table,
        const Clock& clock, Background& background, Evictions& evictions, Evictor evictor);

  /// Before a download: `bytes` join the partial bytes, `on_disk` of them are not allocated yet. Both at once, so that
  /// downloads that begin together cannot pass the bounds together.
  Status reserve(std::uint64_t bytes, std::uint64_t on_disk, Purpose purpose);
  /// Of what reserve() took: now allocated on disk, or never to be.
  void settle(std::uint64_t on_disk);
  /// Before containerd's own bytes: only the floor can refuse them. Joins the partial bytes. Mostly without a call to
  /// the system.
  Status take(std::uint64_t bytes);
  /// Partial bytes found at start, or gone (committed, finished, discarded).
  void add_partial(std::uint64_t bytes) { partial_ += bytes; }
  void drop_partial(std::uint64_t bytes) { partial_ -= bytes; }

  /// What lies outside of the content folder and counts against the quota.
  void set_elsewhere(std::uint64_t bytes) { elsewhere_ = bytes; }

  [[nodiscard]] std::uint64_t partial_bytes() const { return partial_; }
  [[nodiscard]] std::uint64_t free_bytes() const;

  /// Evicts until the quota is kept, as far as that goes; in the background.
  void trim_soon();

 private:
  struct Shortage {
    std::uint64_t quota = 0;
    std::uint64_t disk = 0;
  };
  [[nodiscard]] Shortage shortage(std::uint64_t bytes, std::uint64_t on_disk) const;
  /// Answers the bytes freed. Evicts nothing when all that may go is not enough, unless `best_effort`.
  std::uint64_t evict(std::uint64_t bytes, Eviction why, bool best_effort);
  [[nodiscard]] Error floor_error(std::uint64_t bytes) const;

  const std::filesystem::path content_;
  const std::uint64_t quota_;
  const std::uint64_t floor_;
  const BlobTable& table_;
  const Clock& clock_;
  Background& background_;
  Evictions& evictions_;
  const Evictor evictor_;

  std::mutex mutex_;
  std::uint64_t pending_ = 0;  ///< Reserved, not allocated yet: statvfs does not know of it.
  std::uint64_t credit_ = 0;   ///< Bytes take() may still give before it looks again.
  TimePoint credit_until_;
  std::atomic<std::uint64_t> partial_{0};
  std::atomic<std::uint64_t> elsewhere_{0};
};

}  // namespace paceline::store
