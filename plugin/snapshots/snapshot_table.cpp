#include "plugin/snapshots/snapshot_table.h"

#include <map>
#include <utility>

namespace paceline::snapshots {
namespace {

using sqlite::Database;
using sqlite::Query;

constexpr int kSchemaVersion = 1;
// AUTOINCREMENT: an id names a folder, and the folder of a removed snapshot may still be there.
constexpr const char* kSchema = R"(
CREATE TABLE snapshots (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL UNIQUE,
  parent  INTEGER REFERENCES snapshots (id),
  kind    INTEGER NOT NULL,
  folder  INTEGER NOT NULL,
  layer   TEXT,              -- the chain ID, if the files are a layer that Paceline unpacked
  created INTEGER NOT NULL,  -- nanoseconds since 1970
  updated INTEGER NOT NULL,
  bytes   INTEGER NOT NULL DEFAULT 0,
  inodes  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX snapshots_by_parent ON snapshots (parent);
CREATE INDEX snapshots_by_folder ON snapshots (folder);
CREATE INDEX snapshots_by_layer ON snapshots (layer) WHERE layer IS NOT NULL;
CREATE TABLE labels (
  snapshot INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
  key      TEXT NOT NULL,
  value    TEXT NOT NULL,
  PRIMARY KEY (snapshot, key)
) WITHOUT ROWID;
)";

std::int64_t to_number(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

WallTime to_time(std::int64_t number) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(number)));
}

/// Of a row of "s.id, s.folder, s.name, p.name, s.kind, s.created, s.updated, s.bytes, s.inodes"; the labels are read
/// apart.
Record read(const Query& row) {
  Record record;
  record.id = row.integer(0);
  record.folder = row.integer(1);
  record.info.name = row.text(2);
  record.info.parent = row.text(3);
  record.info.kind = static_cast<Kind>(row.integer(4));
  record.info.created = to_time(row.integer(5));
  record.info.updated = to_time(row.integer(6));
  record.usage = {row.integer(7), row.integer(8)};
  return record;
}

Status require_name(const std::string& name) {
  if (name.empty()) return fail(Code::kInvalidArgument, "a snapshot must have a name");
  return {};
}

}  // namespace

Result<SnapshotTable> SnapshotTable::open(const std::filesystem::path& file) {
  auto database = Database::open(file, kSchemaVersion, kSchema);
  if (!database) return fail(database.error());
  return SnapshotTable(std::move(*database));
}

Result<Record> SnapshotTable::find(const std::string& name) {
  Query query(database_,
              "SELECT s.id, s.folder, s.name, p.name, s.kind, s.created, s.updated, s.bytes, s.inodes "
              "FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent WHERE s.name = ?",
              std::string_view(name));
  const auto row = query.next();
  if (!row) return fail(row.error());
  if (!*row) return fail(Code::kNotFound, "snapshot " + name + ": not found");
  Record record = read(query);
  auto labels = read_labels(record.id);
  if (!labels) return fail(labels.error());
  record.info.labels = std::move(*labels);
  return record;
}

Result<Labels> SnapshotTable::read_labels(std::int64_t id) {
  Query query(database_, "SELECT key, value FROM labels WHERE snapshot = ?", id);
  Labels labels;
  for (;;) {
    const auto row = query.next();
    if (!row) return fail(row.error());
    if (!*row) return labels;
    labels.emplace(query.text(0), query.text(1));
  }
}

Result<Stack> SnapshotTable::stack(const Record& record) {
  Stack stack{record.info.kind, record.folder, {}, record.info.labels};
  Query query(database_,
              "WITH RECURSIVE chain (depth, parent, folder) AS ("
              "  SELECT 0, parent, folder FROM snapshots WHERE id = ?"
              "  UNION ALL"
              "  SELECT depth + 1, s.parent, s.folder FROM chain JOIN snapshots s ON s.id = chain.parent"
              ") SELECT folder FROM chain WHERE depth > 0 ORDER BY depth",
              record.id);
  for (;;) {
    const auto row = query.next();
    if (!row) return fail(row.error());
    if (!*row) return stack;
    stack.parents.push_back(query.integer(0));
  }
}

Result<std::vector<Info>> SnapshotTable::list() {
  std::map<std::int64_t, Labels> labels;
  {
    Query query(database_, "SELECT snapshot, key, value FROM labels");
    for (;;) {
      const auto row = query.next();
      if (!row) return fail(row.error());
      if (!*row) break;
      labels[query.integer(0)].emplace(query.text(1), query.text(2));
    }
  }
  std::vector<Info> all;
  Query query(database_,
              "SELECT s.id, s.folder, s.name, p.name, s.kind, s.created, s.updated, s.bytes, s.inodes "
              "FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent ORDER BY s.layer IS NULL, s.id");
  for (;;) {
    const auto row = query.next();
    if (!row) return fail(row.error());
    if (!*row) return all;
    Record record = read(query);
    record.info.labels = std::move(labels[record.id]);
    all.push_back(std::move(record.info));
  }
}

Result<SnapshotTable::Parent> SnapshotTable::committed_parent(const std::string& name) {
  if (name.empty()) return Parent{};
  const auto parent = find(name);
  if (!parent) return fail(parent.error().context("parent"));
  if (parent->info.kind != Kind::kCommitted) {
    return fail(Code::kInvalidArgument, "parent " + name + " is not a committed snapshot");
  }
  return Parent{parent->id};
}

Result<Record> SnapshotTable::create(const NewSnapshot& snapshot, WallTime now) {
  if (auto named = require_name(snapshot.name); !named) return fail(named.error());
  const auto parent = committed_parent(snapshot.parent);
  if (!parent) return fail(parent.error());
  if (auto taken = find(snapshot.name); taken) {
    return fail(Code::kAlreadyExists, "snapshot " + snapshot.name + ": exists already");
  } else if (taken.error().code != Code::kNotFound) {
    return taken;
  }
  // The folder is called after the id, which is known after the insertion only.
  Query insert(
      database_,
      "INSERT INTO snapshots (name, parent, kind, folder, created, updated) VALUES (?1, nullif(?2, 0), ?3, 0, ?4, ?4)",
      std::string_view(snapshot.name), parent->id.value_or(0), static_cast<std::int64_t>(snapshot.kind),
      to_number(now));
  if (auto done = insert.run(); !done) return fail(done.error());
  const auto id = database_.last_row_id();
  Query folder(database_, "UPDATE snapshots SET folder = id WHERE id = ?", id);
  if (auto done = folder.run(); !done) return fail(done.error());
  if (auto done = write_labels(id, snapshot.labels); !done) return fail(done.error());
  return find(snapshot.name);
}

Status SnapshotTable::write_labels(std::int64_t id, const Labels& labels) {
  Query clear(database_, "DELETE FROM labels WHERE snapshot = ?", id);
  if (auto done = clear.run(); !done) return done;
  for (const auto& [key, value] : labels) {
    if (value.empty()) continue;  // containerd's way to take a label away.
    Query insert(database_, "INSERT INTO labels (snapshot, key, value) VALUES (?, ?, ?)", id, std::string_view(key),
                 std::string_view(value));
    if (auto done = insert.run(); !done) return done;
  }
  return {};
}

Status SnapshotTable::commit(const Record& active, const std::string& name, const Labels& labels, Usage usage,
                             WallTime now) {
  if (auto named = require_name(name); !named) return named;
  if (auto taken = find(name); taken) {
    return fail(Code::kAlreadyExists, "snapshot " + name + ": exists already");
  } else if (taken.error().code != Code::kNotFound) {
    return fail(taken.error());
  }
  if (active.info.kind != Kind::kActive) {
    return fail(Code::kFailedPrecondition, "snapshot " + active.info.name + " is not active");
  }
  Query update(
      database_,
      "UPDATE snapshots SET name = ?2, kind = ?3, created = ?4, updated = ?4, bytes = ?5, inodes = ?6 WHERE id = ?1",
      active.id, std::string_view(name), static_cast<std::int64_t>(Kind::kCommitted), to_number(now), usage.bytes,
      usage.inodes);
  if (auto done = update.run(); !done) return done;
  return write_labels(active.id, labels);  // Replaced, not inherited.
}

Status SnapshotTable::remove(const Record& record) {
  {
    Query child(database_, "SELECT 1 FROM snapshots WHERE parent = ? LIMIT 1", record.id);
    const auto row = child.next();
    if (!row) return fail(row.error());
    if (*row) {
      return fail(Code::kFailedPrecondition, "snapshot " + record.info.name + " has children: remove them first");
    }
  }
  Query remove(database_, "DELETE FROM snapshots WHERE id = ?", record.id);
  return remove.run();
}

Status SnapshotTable::set_labels(const Record& record, const Labels& labels, WallTime now) {
  Query update(database_, "UPDATE snapshots SET updated = ?2 WHERE id = ?1", record.id, to_number(now));
  if (auto done = update.run(); !done) return done;
  return write_labels(record.id, labels);
}

Result<bool> SnapshotTable::has_layer(const std::string& chain_id, const std::string& parent) {
  // The label too: containerd looks for it next, and a client may have changed it.
  Query query(database_,
              "SELECT 1 FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent "
              "JOIN labels l ON l.snapshot = s.id AND l.key = ?3 AND l.value = s.layer "
              "WHERE s.layer = ?1 AND ifnull(p.name, '') = ?2 LIMIT 1",
              std::string_view(chain_id), std::string_view(parent), std::string_view(kLayerLabel));
  return query.next();
}

Result<std::optional<FolderId>> SnapshotTable::folder_of_layer(const std::string& chain_id) {
  Query query(database_, "SELECT folder FROM snapshots WHERE layer = ? LIMIT 1", std::string_view(chain_id));
  const auto row = query.next();
  if (!row) return fail(row.error());
  return *row ? std::optional<FolderId>(query.integer(0)) : std::nullopt;
}

Result<bool> SnapshotTable::share_layer(const std::string& chain_id, const std::string& parent, const Labels& labels,
                                        WallTime now) {
  FolderId folder = 0;
  Usage usage;
  {
    Query query(database_, "SELECT folder, bytes, inodes FROM snapshots WHERE layer = ? LIMIT 1",
                std::string_view(chain_id));
    auto row = query.next();
    if (!row || !*row) return row;
    folder = query.integer(0);
    usage = {query.integer(1), query.integer(2)};
  }
  const auto made = insert_layer(chain_id, parent, labels, usage, now, folder);
  if (!made) return fail(made.error());
  return true;
}

Result<Record> SnapshotTable::create_layer(const std::string& chain_id, const std::string& parent, const Labels& labels,
                                           Usage usage, WallTime now) {
  return insert_layer(chain_id, parent, labels, usage, now, std::nullopt);
}

Result<Record> SnapshotTable::insert_layer(const std::string& chain_id, const std::string& parent, const Labels& labels,
                                           Usage usage, WallTime now, std::optional<FolderId> folder) {
  const auto below = committed_parent(parent);
  if (!below) return fail(below.error());
  // containerd takes whatever name it finds by the label. Its own begin with a namespace, which cannot hold a colon.
  // Ours ends in the id, which is known after the insertion.
  Query insert(database_,
               "INSERT INTO snapshots (name, parent, kind, folder, layer, created, updated, bytes, inodes) "
               "VALUES ('', nullif(?2, 0), ?3, ?4, ?1, ?5, ?5, ?6, ?7)",
               std::string_view(chain_id), below->id.value_or(0), static_cast<std::int64_t>(Kind::kCommitted),
               folder.value_or(0), to_number(now), usage.bytes, usage.inodes);
  if (auto done = insert.run(); !done) return fail(done.error());
  const auto id = database_.last_row_id();
  const std::string name = chain_id + "/" + std::to_string(id);
  Query rename(database_, "UPDATE snapshots SET name = ?2, folder = ?3 WHERE id = ?1", id, std::string_view(name),
               folder.value_or(id));
  if (auto done = rename.run(); !done) return fail(done.error());
  if (auto done = write_labels(id, labels); !done) return fail(done.error());
  return find(name);
}

Result<bool> SnapshotTable::is_used(FolderId folder) {
  Query query(database_, "SELECT 1 FROM snapshots WHERE folder = ? LIMIT 1", folder);
  return query.next();
}

Result<std::vector<FolderId>> SnapshotTable::folders() {
  Query query(database_, "SELECT DISTINCT folder FROM snapshots");
  std::vector<FolderId> all;
  for (;;) {
    const auto row = query.next();
    if (!row) return fail(row.error());
    if (!*row) return all;
    all.push_back(query.integer(0));
  }
}

Result<std::vector<Record>> SnapshotTable::resting_on(FolderId folder) {
  // The highest first, so that each can be removed in turn.
  Query query(database_,
              "WITH RECURSIVE resting (depth, id) AS ("
              "  SELECT 0, id FROM snapshots WHERE folder = ?"
              "  UNION ALL"
              "  SELECT depth + 1, s.id FROM resting JOIN snapshots s ON s.parent = resting.id"
              ") SELECT s.id, s.folder, s.name, p.name, s.kind, s.created, s.updated, s.bytes, s.inodes "
              "FROM (SELECT id, max(depth) AS depth FROM resting GROUP BY id) r "
              "JOIN snapshots s ON s.id = r.id LEFT JOIN snapshots p ON p.id = s.parent ORDER BY r.depth DESC",
              folder);
  std::vector<Record> all;
  for (;;) {
    const auto row = query.next();
    if (!row) return fail(row.error());
    if (!*row) return all;
    all.push_back(read(query));
  }
}

}  // namespace paceline::snapshots
