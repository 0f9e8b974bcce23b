// An overlayfs snapshotter as containerd's own is one: the same answers, errors, mounts and folders. Besides, it takes
// layers that were unpacked elsewhere (adopt_layer) and lets one unpacked layer serve several snapshots.
//
// A row of the table makes a snapshot: its folder is in place before the row is committed and goes after the row has
// gone. What a crash leaves in between is put right at open(). Thread rule: any thread. Calls wait for the disk, and
// for each other: the database has one connection.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/filter/filter.h"
#include "plugin/snapshots/folders.h"
#include "plugin/snapshots/layer_provider.h"
#include "plugin/snapshots/overlay.h"
#include "plugin/snapshots/snapshot.h"
#include "plugin/snapshots/snapshot_table.h"

namespace paceline::snapshots {

class Snapshotter {
 public:
  static Result<std::unique_ptr<Snapshotter>> open(const std::filesystem::path& root, const Clock& clock);

  /// kActive or kView.
  Result<std::vector<Mount>> create(const NewSnapshot& snapshot);
  Result<std::vector<Mount>> mounts(const std::string& key);
  Status commit(const std::string& name, const std::string& key, const Labels& labels);
  /// The files are deleted later, at the latest by clean_up().
  Status remove(const std::string& key);
  Result<Info> stat(const std::string& name);
  /// `fields`: "labels" or "labels.<key>"; none: all labels.
  Result<Info> update(const std::string& name, const Labels& labels, std::span<const std::string> fields);
  Result<std::vector<Info>> list(const Filter& filter);
  /// Of an active snapshot it is counted now, which reads the whole of it.
  Result<Usage> usage(const std::string& key);
  Status clean_up();

  /// Whether a committed snapshot of the layer on that parent is there, or can be had from the same layer on another.
  Result<bool> find_layer(const std::string& chain_id, const std::string& parent, const Labels& labels);
  /// The files of the layer, if some committed snapshot has them; that snapshot may be removed at any time. Files that
  /// are being adopted it has already, or not, but they are not in between.
  Result<std::optional<std::filesystem::path>> files_of_layer(const std::string& chain_id);
  /// Makes a committed snapshot of the files, which are the snapshotter's from now on whatever the outcome.
  Status adopt_layer(const std::string& chain_id, const std::string& parent, const Labels& labels,
                     const UnpackedLayer& layer);

 private:
  Snapshotter(std::unique_ptr<Folders> folders, SnapshotTable table, OverlayFeatures features, const Clock& clock)
      : folders_(std::move(folders)), table_(std::move(table)), features_(features), clock_(clock) {}
  Status repair();
  Status drop_without_files(FolderId folder);
  Result<std::optional<Owner>> owner_of_files(const NewSnapshot& snapshot);
  Result<bool> find_layer_locked(const std::string& chain_id, const std::string& parent, const Labels& labels);
  Status adopt_files(const std::string& chain_id, const std::string& parent, const Labels& labels,
                     const UnpackedLayer& layer);
  Status insert_layer(const std::string& chain_id, const std::string& parent, const Labels& labels, Usage usage,
                      const std::filesystem::path& made);

  const std::unique_ptr<Folders> folders_;
  std::mutex mutex_;  // Around the table: its connection, and what a transaction renames.
  SnapshotTable table_;
  const OverlayFeatures features_;
  const Clock& clock_;
};

}  // namespace paceline::snapshots
