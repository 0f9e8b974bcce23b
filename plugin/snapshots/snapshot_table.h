// What is known of the snapshots: names, parents, labels, usage, and which folder holds the files of each.
//
// Several snapshots may rest on one folder: a layer that was unpacked once serves every namespace whose snapshot of the
// layer below is another one. A folder is free when no row names it. Every call that changes something is one
// transaction, or part of the one that the caller has open. The checks, and their order, are containerd's.
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/snapshots/snapshot.h"
#include "plugin/sqlite/database.h"

namespace paceline::snapshots {

/// The folder is called after the snapshot it was made for.
using FolderId = std::int64_t;

struct Record {
  std::int64_t id = 0;
  FolderId folder = 0;
  Info info;
  Usage usage;  ///< Known of kCommitted only.
};

/// What mounts are made of.
struct Stack {
  Kind kind = Kind::kActive;
  FolderId own = 0;
  std::vector<FolderId> parents;  ///< The nearest first.
  Labels labels;
};

struct NewSnapshot {
  Kind kind = Kind::kActive;
  std::string name;
  std::string parent;
  Labels labels;
};

class SnapshotTable {
 public:
  static Result<SnapshotTable> open(const std::filesystem::path& file);

  [[nodiscard]] Result<std::unique_ptr<sqlite::Transaction>> begin() { return sqlite::Transaction::begin(database_); }

  /// kNotFound where there is none.
  Result<Record> find(const std::string& name);
  Result<Stack> stack(const Record& record);
  /// Layers of Paceline's own first: containerd takes the first that has the label it looks for.
  Result<std::vector<Info>> list();

  /// A row with a folder of its own, which is the caller's to make.
  Result<Record> create(const NewSnapshot& snapshot, WallTime now);
  /// Its files are those of `usage` from now on, and its labels these.
  Status commit(const Record& active, const std::string& name, const Labels& labels, Usage usage, WallTime now);
  Status remove(const Record& record);
  Status set_labels(const Record& record, const Labels& labels, WallTime now);

  /// Whether there is a snapshot of the layer, of Paceline's own making, on this parent.
  Result<bool> has_layer(const std::string& chain_id, const std::string& parent);
  /// Where the files of the layer are, if it is here on whatever parent.
  Result<std::optional<FolderId>> folder_of_layer(const std::string& chain_id);
  /// Makes one from the files of the same layer on another parent; false when there is none.
  Result<bool> share_layer(const std::string& chain_id, const std::string& parent, const Labels& labels, WallTime now);
  /// Makes one with a folder of its own, which is the caller's to fill.
  Result<Record> create_layer(const std::string& chain_id, const std::string& parent, const Labels& labels, Usage usage,
                              WallTime now);

  Result<bool> is_used(FolderId folder);
  Result<std::vector<FolderId>> folders();
  /// The snapshots whose files are in the folder, and all that rest on them.
  Result<std::vector<Record>> resting_on(FolderId folder);

 private:
  explicit SnapshotTable(sqlite::Database database) : database_(std::move(database)) {}
  struct Parent {
    std::optional<std::int64_t> id;
  };
  Result<Parent> committed_parent(const std::string& name);
  Status write_labels(std::int64_t id, const Labels& labels);
  Result<Labels> read_labels(std::int64_t id);
  Result<Record> insert_layer(const std::string& chain_id, const std::string& parent, const Labels& labels, Usage usage,
                              WallTime now, std::optional<FolderId> folder);

  sqlite::Database database_;
};

}  // namespace paceline::snapshots
