// What the store does behind its callers' backs, on one thread of its own: making renames durable (fsync of folders,
// which may wait for the file system's journal) and evicting when the quota is passed. Any thread; never blocks.
// Destroying it runs what is queued.
//
// Why later is soon enough: the data of a blob is synced before its rename, so a power loss in between leaves the blob
// where it was before (as a whole download, or a whole ingest), never a blob that is not whole.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "plugin/base/worker_pool.h"

namespace paceline::store {

class Background {
 public:
  Background() : pool_("store-sync", 1) {}

  /// Queues one fsync of the folder, however often it is asked for before its turn comes.
  void sync_folder(const std::filesystem::path& folder);
  /// Queues `task` unless the previous one of this kind is still waiting.
  void once(const std::string& kind, std::function<void()> task);

 private:
  std::mutex mutex_;
  std::set<std::string> waiting_;
  WorkerPool pool_;
};

}  // namespace paceline::store
