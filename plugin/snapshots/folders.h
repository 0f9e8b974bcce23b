// The folders of all snapshots, below one root:
//
//   snapshots/<id>/fs      the files, in overlayfs form; an active snapshot's upperdir
//   snapshots/<id>/work    overlayfs's own, of active snapshots only
//   new/<n>                being made: becomes snapshots/<id> by one rename
//   removed/<n>            to be deleted, which may take long and happens in a thread of its own
//
// Thread rule: any thread; one caller at a time for the same id.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/base/worker_pool.h"

namespace paceline::snapshots {

struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};

class Folders {
 public:
  /// Makes what is missing; what a killed process left in new/ and removed/ is deleted in the background.
  static Result<std::unique_ptr<Folders>> open(const std::filesystem::path& root);
  /// Does not wait for deletions still to come: the next open() goes on with them.
  ~Folders() { stopping_ = true; }

  [[nodiscard]] std::filesystem::path files(std::int64_t id) const { return folder(id) / "fs"; }
  [[nodiscard]] std::filesystem::path work(std::int64_t id) const { return folder(id) / "work"; }
  [[nodiscard]] Result<bool> exists(std::int64_t id) const;
  /// Who owns the root of the files.
  [[nodiscard]] Result<Owner> owner(std::int64_t id) const;

  /// An empty snapshot folder, not in place yet.
  Result<std::filesystem::path> make(bool with_work, std::optional<Owner> owner);
  /// One around files that are there already: they are moved, by one rename within the file system.
  Result<std::filesystem::path> wrap(const std::filesystem::path& files);
  /// Puts it where the snapshot's files belong.
  Status place(const std::filesystem::path& made, std::int64_t id);

  /// Takes a folder away at once; its files are deleted later.
  void discard(const std::filesystem::path& folder);
  void discard(std::int64_t id) { discard(folder(id)); }
  /// Deletes what has been discarded so far; returns when that is done.
  void delete_discarded();

  /// Every folder of snapshots/ by its id, and the ones whose name is no id.
  struct Content {
    std::vector<std::int64_t> ids;
    std::vector<std::filesystem::path> strange;
  };
  [[nodiscard]] Result<Content> content() const;

 private:
  explicit Folders(std::filesystem::path root) : root_(std::move(root)) {}
  [[nodiscard]] std::filesystem::path folder(std::int64_t id) const { return root_ / "snapshots" / std::to_string(id); }
  [[nodiscard]] std::filesystem::path unused_name(const char* in);

  const std::filesystem::path root_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> stopping_{false};
  std::mutex deleting_;
  WorkerPool deleter_{"snapshot-rm", 1};  // Last: it may still delete when the rest goes.
};

}  // namespace paceline::snapshots
