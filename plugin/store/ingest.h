// One ingest that containerd writes: append-only, exclusively locked to its writer while this object lives.
// Thread rule: one thread at a time. Destroying it without commit() keeps the ingest for a later resume.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"

namespace paceline::store {

struct IngestStatus {
  std::string ref;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;  ///< 0: unknown.
  std::optional<Digest> expected;
  WallTime started;
  WallTime updated;
};

class Ingest {
 public:
  class Impl;
  explicit Ingest(std::unique_ptr<Impl> impl);
  ~Ingest();

  [[nodiscard]] const IngestStatus& status() const;
  /// Total and expected digest may become known late.
  void set_total(std::uint64_t total);
  void set_expected(const Digest& expected);

  /// Appends at status().offset. kResourceExhausted at the free-space floor, kFailedPrecondition past a known total.
  Status append(std::span<const std::byte> data);
  /// Cuts back to `offset` (≤ the present one); the hash starts again from the beginning of the file.
  Status truncate(std::uint64_t offset);
  /// Once all bytes are in: syncs the data, so that commit() is only a rename. append() does this by itself when a
  /// known total is reached.
  Status sync();
  /// The digest of what was written so far.
  Digest digest();
  /// Makes it a listed blob. Size and digest are checked when given (kFailedPrecondition; the ingest stays).
  /// kAlreadyExists when the blob is there (the ingest is dropped then); a hidden one is adopted first.
  Result<Digest> commit(std::optional<std::uint64_t> size, std::optional<Digest> expected,
                        const std::map<std::string, std::string>& labels);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::store
