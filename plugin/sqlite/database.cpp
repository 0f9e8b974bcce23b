#include "plugin/sqlite/database.h"

#include <sqlite3.h>

#include <utility>

#include "plugin/base/log.h"

namespace paceline::sqlite {

Result<Database> Database::open(const std::filesystem::path& file, int schema_version, const char* schema) {
  sqlite3* connection = nullptr;
  // No mutex of SQLite's own: one thread at a time is our rule.
  const int opened = ::sqlite3_open_v2(file.c_str(), &connection,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(connection);
  if (opened != SQLITE_OK) return fail(database.error("open " + file.string()));
  ::sqlite3_extended_result_codes(connection, 1);
  auto status = database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  if (!status) return fail(status.error().context(file.string()));

  std::int64_t found = 0;
  {
    Query version(database, "PRAGMA user_version");
    const auto row = version.next();
    if (!row) return fail(row.error().context(file.string()));
    found = version.integer(0);
  }
  if (found == schema_version) return database;
  if (found != 0) {
    return fail(Code::kFailedPrecondition, file.string() + " has schema " + std::to_string(found) +
                                               ", and this daemon knows " + std::to_string(schema_version) +
                                               ": run the version that made it");
  }
  auto transaction = Transaction::begin(database);
  if (!transaction) return fail(transaction.error());
  status = database.run(schema);
  if (status) status = database.run(("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
  if (status) status = (*transaction)->commit();
  if (!status) return fail(status.error().context(file.string()));
  return database;
}

Database::Database(Database&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), statements_(std::move(other.statements_)) {
  other.statements_.clear();
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) ::sqlite3_finalize(statement);
  ::sqlite3_close(connection_);
}

Status Database::run(const char* sql) {
  if (::sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return fail(error(sql));
  return {};
}

std::int64_t Database::last_row_id() const { return ::sqlite3_last_insert_rowid(connection_); }

Error Database::error(std::string_view what) const {
  const int code = connection_ != nullptr ? ::sqlite3_errcode(connection_) : SQLITE_NOMEM;
  return {code == SQLITE_FULL ? Code::kResourceExhausted : Code::kInternal,
          std::string(what) + ": " + (connection_ != nullptr ? ::sqlite3_errmsg(connection_) : "out of memory")};
}

Query::Query(Database& database, const char* sql, Prepare /*prepare*/) : database_(database), sql_(sql) {
  auto& prepared = database.statements_[sql];
  if (prepared == nullptr)
    ::sqlite3_prepare_v3(database.connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  statement_ = prepared;  // Null when it does not compile: next() tells.
}

Query::~Query() {
  if (statement_ == nullptr) return;
  ::sqlite3_reset(statement_);
  ::sqlite3_clear_bindings(statement_);
}

void Query::bind(int index, std::int64_t value) { ::sqlite3_bind_int64(statement_, index, value); }

void Query::bind(int index, std::string_view value) {
  // Never null, which SQLite would take for NULL. The caller's value outlives the query.
  ::sqlite3_bind_text64(statement_, index, value.data() != nullptr ? value.data() : "", value.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
}

Result<bool> Query::next() {
  const int code = statement_ != nullptr ? ::sqlite3_step(statement_) : SQLITE_ERROR;
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(database_.error(sql_));
}

Status Query::run() {
  const auto row = next();
  if (!row) return fail(row.error());
  return {};
}

std::int64_t Query::integer(int column) const { return ::sqlite3_column_int64(statement_, column); }

std::string Query::text(int column) const {
  const auto* bytes = ::sqlite3_column_text(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(::sqlite3_column_bytes(statement_, column))};
}

bool Query::is_null(int column) const { return ::sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Transaction>> Transaction::begin(Database& database) {
  // Immediate: the write lock is taken now, not in the middle.
  if (auto begun = database.run("BEGIN IMMEDIATE"); !begun) return fail(begun.error());
  return std::unique_ptr<Transaction>(new Transaction(database));
}

Transaction::~Transaction() {
  if (!open_) return;
  // SQLite has rolled back by itself after some errors; then this one fails, and that is well.
  if (auto undone = database_.run("ROLLBACK"); !undone) spdlog::debug("sqlite: {}", undone.error().message);
}

Status Transaction::commit() {
  auto status = database_.run("COMMIT");
  if (status) open_ = false;
  return status;
}

}  // namespace paceline::sqlite
