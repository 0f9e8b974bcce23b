// Cold-start records in SQLite: the last so many, none older than so long. The columns that reports need stand in front
// of the whole record as JSON, so that ten thousand of them are listed without parsing one.
// Thread rule: any thread; a mutex keeps callers apart, and each call is short.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/records/cold_start.h"
#include "plugin/sqlite/database.h"

namespace paceline::records {

/// What reports compare.
struct Summary {
  std::string pull_id, image, registry, policy, source, state;
  bool mixed = false;
  std::int64_t started_unix_ms = 0;
  double pull_ms = 0;
  std::optional<double> cold_start_ms;
  std::uint64_t total_bytes = 0, fetched_bytes = 0;
  double lower_bound_ms = 0;
};

class RecordStore {
 public:
  struct Bounds {
    std::uint64_t records = 10'000;
    std::chrono::milliseconds age = std::chrono::hours(24 * 90);
  };
  static Result<std::unique_ptr<RecordStore>> open(const std::filesystem::path& file, Bounds bounds);

  /// Adds it, or replaces the one of the same pull; then drops what is beyond the bounds.
  Status put(const ColdStart& record, std::int64_t now_unix_ms);
  /// Newest first; `limit` 0: all.
  Result<std::vector<Summary>> list(std::int64_t since_unix_ms, std::uint64_t limit);
  /// One record's JSON; kNotFound. An unambiguous beginning of its id suffices, kInvalidArgument when it is not.
  Result<std::string> find(const std::string& pull_id);

 private:
  RecordStore(sqlite::Database database, Bounds bounds) : database_(std::move(database)), bounds_(bounds) {}

  std::mutex mutex_;
  sqlite::Database database_;
  const Bounds bounds_;
};

}  // namespace paceline::records
