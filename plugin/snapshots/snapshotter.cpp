#include "plugin/snapshots/snapshotter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "plugin/base/log.h"
#include "plugin/snapshots/disk_usage.h"
#include "plugin/snapshots/id_mapping.h"

namespace paceline::snapshots {
namespace {

std::optional<std::string> field(const Info& info, std::span<const std::string> path) {
  const auto& name = path.front();
  if (name == "name") return info.name;
  if (name == "parent") return info.parent;
  if (name == "labels") return find_label(info.labels, path);
  if (name != "kind") return std::nullopt;
  switch (info.kind) {
    case Kind::kView:
      return "view";
    case Kind::kActive:
      return "active";
    case Kind::kCommitted:
      return "committed";
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Snapshotter>> Snapshotter::open(const std::filesystem::path& root, const Clock& clock) {
  auto folders = Folders::open(root);
  if (!folders) return fail(folders.error());
  auto table = SnapshotTable::open(root / "snapshots.db");
  if (!table) return fail(table.error());
  std::unique_ptr<Snapshotter> snapshotter(
      new Snapshotter(std::move(*folders), std::move(*table), detect_overlay_features(root), clock));
  if (auto repaired = snapshotter->repair(); !repaired) return fail(repaired.error());
  return snapshotter;
}

Status Snapshotter::repair() {
  auto used = table_.folders();
  if (!used) return fail(used.error());
  for (const auto folder : *used) {
    // Only a power loss can take a folder from its row: a process puts the folder first.
    const auto there = folders_->exists(folder);
    if (!there) return fail(there.error());  // A disk that cannot say so has lost nothing yet.
    if (*there) continue;
    if (auto dropped = drop_without_files(folder); !dropped) return dropped;
  }
  used = table_.folders();
  if (!used) return fail(used.error());
  std::ranges::sort(*used);
  const auto found = folders_->content();
  if (!found) return fail(found.error());
  for (const auto id : found->ids) {
    if (!std::ranges::binary_search(*used, id)) folders_->discard(id);
  }
  for (const auto& path : found->strange) folders_->discard(path);
  return {};
}

Status Snapshotter::drop_without_files(FolderId folder) {
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  const auto lost = table_.resting_on(folder);
  if (!lost) return fail(lost.error());
  for (const auto& record : *lost) {
    spdlog::warn("snapshot {}: the files of {} are gone; it is forgotten", record.info.name, folder);
    if (auto removed = table_.remove(record); !removed) return removed;
  }
  return (*transaction)->commit();
}

Result<std::optional<Owner>> Snapshotter::owner_of_files(const NewSnapshot& snapshot) {
  auto mapped = mapped_root(snapshot.labels);
  if (!mapped || *mapped || snapshot.parent.empty()) return mapped;
  // overlayfs shows the upperdir's owner as the root's: it goes on being the parent's.
  const auto parent = table_.find(snapshot.parent);
  if (!parent) return fail(parent.error().context("parent"));
  const auto owner = folders_->owner(parent->folder);
  if (!owner) return fail(owner.error());
  return std::optional(*owner);
}

Result<std::vector<Mount>> Snapshotter::create(const NewSnapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  const auto owner = owner_of_files(snapshot);
  if (!owner) return fail(owner.error());
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  const auto record = table_.create(snapshot, clock_.wall());
  if (!record) return fail(record.error());
  const auto stack = table_.stack(*record);
  if (!stack) return fail(stack.error());

  const auto made = folders_->make(snapshot.kind == Kind::kActive, *owner);
  if (!made) return fail(made.error());
  Status status = folders_->place(*made, record->folder);
  if (!status) {
    folders_->discard(*made);
    return fail(status.error());
  }
  status = (*transaction)->commit();
  if (!status) {
    folders_->discard(record->folder);  // The id may be given out again.
    return fail(status.error());
  }
  return overlay_mounts(*stack, *folders_, features_);
}

Result<std::vector<Mount>> Snapshotter::mounts(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto record = table_.find(key);
  if (!record) return fail(record.error());
  if (record->info.kind == Kind::kCommitted) {
    return fail(Code::kFailedPrecondition,
                "snapshot " + key + " is committed: only active snapshots and views are mounted");
  }
  const auto stack = table_.stack(*record);
  if (!stack) return fail(stack.error());
  return overlay_mounts(*stack, *folders_, features_);
}

Status Snapshotter::commit(const std::string& name, const std::string& key, const Labels& labels) {
  const auto usage = this->usage(key);  // Outside of the lock: it reads all there is.
  if (!usage) return fail(usage.error());
  const std::lock_guard lock(mutex_);
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  const auto record = table_.find(key);
  if (!record) return fail(record.error());
  if (auto done = table_.commit(*record, name, labels, *usage, clock_.wall()); !done) return done;
  return (*transaction)->commit();
}

Status Snapshotter::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  const auto record = table_.find(key);
  if (!record) return fail(record.error());
  if (auto removed = table_.remove(*record); !removed) return removed;
  const auto shared = table_.is_used(record->folder);
  if (!shared) return fail(shared.error());
  if (auto committed = (*transaction)->commit(); !committed) return committed;
  if (!*shared) folders_->discard(record->folder);
  return {};
}

Result<Info> Snapshotter::stat(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto record = table_.find(name);
  if (!record) return fail(record.error());
  return std::move(record->info);
}

Result<Info> Snapshotter::update(const std::string& name, const Labels& labels, std::span<const std::string> fields) {
  const std::lock_guard lock(mutex_);
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  const auto record = table_.find(name);
  if (!record) return fail(record.error());
  Labels changed = fields.empty() ? labels : record->info.labels;
  constexpr std::string_view kPrefix = "labels.";
  for (const auto& path : fields) {
    if (path == "labels") {
      changed = labels;
    } else if (path.starts_with(kPrefix)) {
      const auto key = path.substr(kPrefix.size());
      const auto value = labels.find(key);
      changed[key] = value != labels.end() ? value->second : "";  // Empty: taken away.
    } else {
      return fail(Code::kInvalidArgument,
                  fmt::format("cannot update field '{}' of snapshot {}: only labels change", path, name));
    }
  }
  if (auto done = table_.set_labels(*record, changed, clock_.wall()); !done) return fail(done.error());
  auto after = table_.find(name);
  if (!after) return fail(after.error());
  if (auto committed = (*transaction)->commit(); !committed) return fail(committed.error());
  return std::move(after->info);
}

Result<std::vector<Info>> Snapshotter::list(const Filter& filter) {
  std::unique_lock lock(mutex_);
  auto all = table_.list();
  lock.unlock();
  if (!all) return all;
  std::erase_if(*all, [&filter](const Info& info) {
    return !filter.matches([&info](std::span<const std::string> path) { return field(info, path); });
  });
  return all;
}

Result<Usage> Snapshotter::usage(const std::string& key) {
  std::unique_lock lock(mutex_);
  const auto record = table_.find(key);
  lock.unlock();
  if (!record) return fail(record.error());
  if (record->info.kind != Kind::kActive) return record->usage;
  return disk_usage(folders_->files(record->folder));
}

Status Snapshotter::clean_up() {
  folders_->delete_discarded();
  return {};
}

Result<bool> Snapshotter::find_layer(const std::string& chain_id, const std::string& parent, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return find_layer_locked(chain_id, parent, labels);
}

Result<std::optional<std::filesystem::path>> Snapshotter::files_of_layer(const std::string& chain_id) {
  const std::lock_guard lock(mutex_);
  const auto folder = table_.folder_of_layer(chain_id);
  if (!folder) return fail(folder.error());
  return *folder ? std::optional(folders_->files(**folder)) : std::nullopt;
}

Result<bool> Snapshotter::find_layer_locked(const std::string& chain_id, const std::string& parent,
                                            const Labels& labels) {
  auto there = table_.has_layer(chain_id, parent);
  if (!there || *there) return there;
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  auto shared = table_.share_layer(chain_id, parent, labels, clock_.wall());
  if (!shared || !*shared) return shared;
  if (auto committed = (*transaction)->commit(); !committed) return fail(committed.error());
  return true;
}

Status Snapshotter::adopt_layer(const std::string& chain_id, const std::string& parent, const Labels& labels,
                                const UnpackedLayer& layer) {
  auto status = adopt_files(chain_id, parent, labels, layer);
  if (status && layer.taken) layer.taken();
  return status;
}

Status Snapshotter::adopt_files(const std::string& chain_id, const std::string& parent, const Labels& labels,
                                const UnpackedLayer& layer) {
  const auto usage = layer.usage ? Result<Usage>(*layer.usage) : disk_usage(layer.files);
  if (!usage) {
    folders_->discard(layer.files);
    return fail(usage.error());
  }
  // From the first rename on: whoever looks for the files and finds them moved waits for the outcome.
  const std::lock_guard lock(mutex_);
  const auto there = find_layer_locked(chain_id, parent, labels);
  if (!there || *there) {
    folders_->discard(layer.files);  // Unless it failed, another call was faster, with the same layer.
    return there ? Status() : fail(there.error());
  }
  const auto made = folders_->wrap(layer.files);
  if (!made) {
    folders_->discard(layer.files);
    return fail(made.error());
  }
  auto status = insert_layer(chain_id, parent, labels, *usage, *made);
  if (!status) folders_->discard(*made);
  return status;
}

Status Snapshotter::insert_layer(const std::string& chain_id, const std::string& parent, const Labels& labels,
                                 Usage usage, const std::filesystem::path& made) {
  auto transaction = table_.begin();
  if (!transaction) return fail(transaction.error());
  const auto record = table_.create_layer(chain_id, parent, labels, usage, clock_.wall());
  if (!record) return fail(record.error());
  if (auto placed = folders_->place(made, record->folder); !placed) return placed;
  auto status = (*transaction)->commit();
  if (!status) folders_->discard(record->folder);
  return status;
}

}  // namespace paceline::snapshots
