#include "plugin/records/record_store.h"

#include <cmath>

namespace paceline::records {
namespace {

constexpr int kSchemaVersion = 1;
// Times in microseconds. cold_start_us is -1 where no container was seen.
constexpr const char* kSchema =
    "CREATE TABLE records (id INTEGER PRIMARY KEY, pull_id TEXT NOT NULL UNIQUE, started_ms INTEGER NOT NULL,"
    " image TEXT NOT NULL, registry TEXT NOT NULL, policy TEXT NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL,"
    " mixed INTEGER NOT NULL, pull_us INTEGER NOT NULL, cold_start_us INTEGER NOT NULL, total_bytes INTEGER NOT NULL,"
    " fetched_bytes INTEGER NOT NULL, lower_bound_us INTEGER NOT NULL, json TEXT NOT NULL);"
    "CREATE INDEX records_by_start ON records (started_ms);";

std::int64_t to_us(double ms) { return std::llround(ms * 1000); }
double to_ms(std::int64_t us) { return static_cast<double>(us) / 1000; }

}  // namespace

Result<std::unique_ptr<RecordStore>> RecordStore::open(const std::filesystem::path& file, Bounds bounds) {
  auto database = sqlite::Database::open(file, kSchemaVersion, kSchema);
  if (!database) return fail(database.error());
  // A record lost with the power is no harm; an fsync for each would be one.
  if (auto set = database->run("PRAGMA synchronous = NORMAL"); !set) return fail(set.error());
  return std::unique_ptr<RecordStore>(new RecordStore(std::move(*database), bounds));
}

Status RecordStore::put(const ColdStart& record, std::int64_t now_unix_ms) {
  const std::string json = to_json(record);
  const std::lock_guard lock(mutex_);
  auto transaction = sqlite::Transaction::begin(database_);
  if (!transaction) return fail(transaction.error());
  {
    sqlite::Query insert(
        database_,
        "INSERT INTO records (pull_id, started_ms, image, registry, policy, source, state, mixed, pull_us,"
        " cold_start_us, total_bytes, fetched_bytes, lower_bound_us, json)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (pull_id) DO UPDATE SET source = excluded.source, mixed = excluded.mixed,"
        " cold_start_us = excluded.cold_start_us, json = excluded.json",
        std::string_view(record.pull_id), record.started_unix_ms, std::string_view(record.image),
        std::string_view(record.registry), std::string_view(record.policy), std::string_view(record.source),
        std::string_view(record.state), std::int64_t{record.mixed ? 1 : 0}, to_us(record.pull_ms),
        record.cold_start_ms ? to_us(*record.cold_start_ms) : std::int64_t{-1},
        static_cast<std::int64_t>(record.total_bytes), static_cast<std::int64_t>(record.fetched_bytes),
        to_us(record.lower_bound_ms), std::string_view(json));
    if (auto done = insert.run(); !done) return done;
  }
  {
    sqlite::Query old(database_, "DELETE FROM records WHERE started_ms < ?",
                      now_unix_ms - static_cast<std::int64_t>(bounds_.age.count()));
    if (auto done = old.run(); !done) return done;
  }
  {
    sqlite::Query surplus(database_,
                          "DELETE FROM records WHERE id <= (SELECT id FROM records ORDER BY id DESC LIMIT 1 OFFSET ?)",
                          static_cast<std::int64_t>(bounds_.records));
    if (auto done = surplus.run(); !done) return done;
  }
  return (*transaction)->commit();
}

Result<std::vector<Summary>> RecordStore::list(std::int64_t since_unix_ms, std::uint64_t limit) {
  const std::lock_guard lock(mutex_);
  sqlite::Query query(database_,
                      "SELECT pull_id, started_ms, image, registry, policy, source, state, mixed, pull_us,"
                      " cold_start_us, total_bytes, fetched_bytes, lower_bound_us FROM records"
                      " WHERE started_ms >= ? ORDER BY started_ms DESC, id DESC LIMIT ?",
                      since_unix_ms, limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(limit));
  std::vector<Summary> out;
  for (;;) {
    const auto row = query.next();
    if (!row) return fail(row.error());
    if (!*row) return out;
    Summary summary;
    summary.pull_id = query.text(0);
    summary.started_unix_ms = query.integer(1);
    summary.image = query.text(2);
    summary.registry = query.text(3);
    summary.policy = query.text(4);
    summary.source = query.text(5);
    summary.state = query.text(6);
    summary.mixed = query.integer(7) != 0;
    summary.pull_ms = to_ms(query.integer(8));
    if (query.integer(9) >= 0) summary.cold_start_ms = to_ms(query.integer(9));
    summary.total_bytes = static_cast<std::uint64_t>(query.integer(10));
    summary.fetched_bytes = static_cast<std::uint64_t>(query.integer(11));
    summary.lower_bound_ms = to_ms(query.integer(12));
    out.push_back(std::move(summary));
  }
}

Result<std::string> RecordStore::find(const std::string& pull_id) {
  const std::lock_guard lock(mutex_);
  sqlite::Query query(database_,
                      "SELECT pull_id, json FROM records WHERE pull_id >= ?1 AND pull_id < ?1 || char(0x10ffff)"
                      " ORDER BY pull_id LIMIT 2",
                      std::string_view(pull_id));
  const auto first = query.next();
  if (!first) return fail(first.error());
  if (!*first || pull_id.empty()) {
    return fail(Code::kNotFound, "no record of pull " + pull_id + ": see `paceline report --pulls`");
  }
  std::string json = query.text(1);
  if (query.text(0) == pull_id) return json;
  const auto second = query.next();
  if (!second) return fail(second.error());
  if (*second) return fail(Code::kInvalidArgument, "more than one pull's id begins with " + pull_id);
  return json;
}

}  // namespace paceline::records
