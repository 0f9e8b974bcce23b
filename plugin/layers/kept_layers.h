// Layers that were unpacked before anybody asked for them, kept until containerd does, over restarts too:
//
//   <root>/<hex of the chain ID>        its files, whole, verified and synced
//   <root>/<hex of the chain ID>.json   the blob it came from, and what it takes on disk
//   <root>/removed-<n>                  is being deleted
//
// They are no snapshots yet, so that containerd's garbage collection does not see them. They count against the store's
// quota, and go, least recently used first, where that or the disk asks for room; a pinned image's stay.
// Thread rule: any thread; find(), take(), usage() touch memory only. Borrows store and clock.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/fd.h"
#include "plugin/base/result.h"
#include "plugin/snapshots/layer_provider.h"
#include "plugin/store/store.h"

namespace paceline::layers {

class KeptLayers {
 public:
  static Result<std::unique_ptr<KeptLayers>> open(const std::filesystem::path& root, store::Store& store,
                                                  const Clock& clock);

  /// Moves the folder here, on the same file system, and answers where it is. kResourceExhausted: the quota, and
  /// nothing has gone for it. `spared`: chain IDs of layers that are not to make room.
  Result<std::filesystem::path> put(const Digest& chain_id, const Digest& blob, const std::filesystem::path& folder,
                                    const snapshots::Usage& usage, const std::set<Digest>& spared = {});
  [[nodiscard]] std::optional<snapshots::UnpackedLayer> find(const Digest& chain_id);
  /// Gives it away: it is the caller's to rename. forget() is due afterwards.
  std::optional<snapshots::UnpackedLayer> take(const Digest& chain_id);
  /// Where a layer's files lie if it is kept: whole, for before they are removed they are renamed.
  [[nodiscard]] std::filesystem::path place(const Digest& chain_id) const;
  /// Removes what describes a layer that has been taken.
  void forget(const Digest& chain_id);

  struct Totals {
    std::uint64_t layers = 0, bytes = 0;
  };
  [[nodiscard]] Totals totals() const;
  /// Drops the layers of the blob, or of all blobs; pinned ones stay. Answers what was dropped.
  Totals evict(const std::optional<Digest>& blob);
  /// Drops the one that was not used for the longest time; false when there is none that may go.
  bool evict_oldest(const std::set<Digest>& spared = {});

 private:
  struct Entry {
    Digest blob;
    snapshots::Usage usage;
    WallTime used;
  };
  using Entries = std::map<Digest, Entry>;  // By chain ID.

  KeptLayers(std::filesystem::path root, UniqueFd fd, store::Store& store, const Clock& clock)
      : root_(std::move(root)), fd_(std::move(fd)), store_(store), clock_(clock) {}
  void load(const std::filesystem::path& description);
  [[nodiscard]] std::filesystem::path description(const Digest& chain_id) const;
  [[nodiscard]] bool may_go(const Entries::value_type& entry, const std::set<Digest>& spared) const;
  /// Makes room within the quota and takes it, so that layers that come at once cannot pass the quota together.
  Status reserve(std::uint64_t bytes, const std::set<Digest>& spared);
  Result<std::filesystem::path> move_in(const Digest& chain_id, const Digest& blob, const std::filesystem::path& made,
                                        const snapshots::Usage& usage);
  /// Takes it from the table under the lock, and tells the store of the new sum.
  Entry drop_entry(Entries::iterator entry);
  /// With what is reserved. Under the mutex, as count().
  [[nodiscard]] std::uint64_t counted() const;
  void count();
  void remove(const Digest& chain_id);

  const std::filesystem::path root_;
  const UniqueFd fd_;
  store::Store& store_;
  const Clock& clock_;
  std::atomic<std::uint64_t> next_removed_{0};
  mutable std::mutex mutex_;
  Entries entries_;
  std::uint64_t reserved_ = 0;  // For layers that are being moved here.
};

}  // namespace paceline::layers
