// SQLite as far as we need it: one connection, statements prepared once, transactions.
//
// Every transaction is durable when it has been committed (WAL, synchronous FULL): containerd's own database is, and a
// snapshot that containerd remembers and we do not would break its image for good.
// Thread rule: one thread at a time; Query and Transaction borrow their database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "plugin/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace paceline::sqlite {

class Database {
 public:
  /// Opens or makes the file. What it holds is compared with `schema_version` (SQLite's user_version): a new file gets
  /// `schema`, an unknown version is kFailedPrecondition.
  static Result<Database> open(const std::filesystem::path& file, int schema_version, const char* schema);
  ~Database();
  Database(Database&& other) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  Database& operator=(Database&&) = delete;

  /// Statements without parameters or results.
  Status run(const char* sql);
  [[nodiscard]] std::int64_t last_row_id() const;

 private:
  friend class Query;
  explicit Database(sqlite3* connection) : connection_(connection) {}
  [[nodiscard]] Error error(std::string_view what) const;

  sqlite3* connection_;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;  // By their text, which is a literal.
};

/// One run of a statement. Its text must be a literal; no two runs of the same text at a time.
class Query {
 public:
  template <class... Values>
  Query(Database& database, const char* sql, const Values&... values) : Query(database, sql, Prepare{}) {
    int index = 0;
    (bind(++index, values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// The next row; false behind the last.
  Result<bool> next();
  /// For statements without rows.
  Status run();

  /// Columns of the row, from 0.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  struct Prepare {};
  Query(Database& database, const char* sql, Prepare prepare);
  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view value);

  Database& database_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
};

/// Rolled back unless committed.
class Transaction {
 public:
  static Result<std::unique_ptr<Transaction>> begin(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Status commit();

 private:
  explicit Transaction(Database& database) : database_(database) {}

  Database& database_;
  bool open_ = true;
};

}  // namespace paceline::sqlite
